"""The service contract over MongoDB and bytes in memory."""

from modelyard.testing.service import ServiceContract

from .mongodb_rooms import MongodbRoom
from .service_rooms import MemoryBytes


class TestMongodbMemory(MemoryBytes, MongodbRoom, ServiceContract):
    pass
