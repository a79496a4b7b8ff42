"""The service contract over every kind of database with its bytes in a real S3 server: minutes, so only at times."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import obstore
import pytest

from modelyard.adapters.blobs.objectstore import ObjectBlobs
from modelyard.testing.clock import START, SettableClock
from modelyard.testing.service import ServiceContract

from .mongodb_rooms import MongodbRoom
from .service_rooms import local_service
from .service_server_rooms import ServerRoom
from .sql_servers import database, emptied
from .test_blobs_objects import LIFE, key_of

pytestmark = pytest.mark.long


class InABucket:
    """Bytes in a part of a bucket that nobody used before."""

    @pytest.fixture(autouse=True)
    def bucket(self, seaweedfs):
        self.place = seaweedfs

    def stores(self):
        blobs = ObjectBlobs(replace(self.place, prefix=uuid.uuid4().hex), life=LIFE)
        return blobs, ObjectBlobs(blobs.place, folder="manifests", lease=blobs.lease)

    def over(self, records, clock):
        service = local_service(records, *self.stores(), clock)
        yield service
        service.close()

    def damage(self, service, digest, data):
        if data is None:
            obstore.delete(service.blobs.client, key_of(digest))
        else:
            obstore.put(service.blobs.client, key_of(digest), data, use_multipart=False)


class SqlRoom(InABucket, ServerRoom):
    """Over the SQL server that the fixture ``server`` names."""

    @pytest.fixture
    def service(self, server, clock):
        yield from self.over(emptied(database(server, "modelyard_here")), clock)

    @pytest.fixture
    def other(self, server):
        clock = SettableClock(START + timedelta(days=1))
        yield from self.over(emptied(database(server, "modelyard_there")), clock)


class TestPostgresql(SqlRoom, ServiceContract):
    @pytest.fixture
    def server(self, postgresql):
        return postgresql


class TestMariadb(SqlRoom, ServiceContract):
    @pytest.fixture
    def server(self, mariadb):
        return mariadb


class TestMysql(SqlRoom, ServiceContract):
    @pytest.fixture
    def server(self, mysql):
        return mysql


class TestMongodb(InABucket, MongodbRoom, ServiceContract):
    @pytest.fixture
    def service(self, mongodb, clock):
        self.kept = mongodb.database("here")
        yield from self.over(mongodb.empty_store("here"), clock)

    @pytest.fixture
    def other(self, mongodb):
        yield from self.over(mongodb.empty_store("there"), SettableClock(START + timedelta(days=1)))
