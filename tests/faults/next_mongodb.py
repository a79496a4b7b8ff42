"""What is kept in MongoDB as it may be one day, one or two steps further.

The first step only adds a collection and an index, as every step must that is made while servers of the build before
run. The second takes the counter away that they need for every commit with an event, as may be done once none of them
runs: a collection that is gone would only look empty to them.
"""

from __future__ import annotations

from typing import Any

from modelyard.adapters.metadata import mongo, mongo_schema


def become(steps: int) -> None:
    """Be a build that knows so many steps more."""
    mongo_schema.VERSION += steps  # type: ignore[misc]
    mongo.VERSION = mongo_schema.VERSION  # type: ignore[misc]
    mongo_schema.UNIQUE = {**mongo_schema.UNIQUE, "moods": (("mood",),)}  # type: ignore[misc]
    versions = (*mongo_schema.FURTHER["versions"], ("mood",))
    mongo_schema.FURTHER = {**mongo_schema.FURTHER, "versions": versions}  # type: ignore[misc]
    if steps > 1:
        mongo_schema._create = _taking_away(mongo_schema._create)


def _taking_away(create: Any) -> Any:
    def changed(database: Any) -> None:
        create(database)
        database["counters"].delete_one({"_id": "events"})

    return changed


def take_back(database: Any) -> None:
    """Undo the first step."""
    database.drop_collection("moods")
    database["versions"].drop_index("mood_1")
    database["schema"].update_one({"_id": "modelyard"}, {"$inc": {"version": -1}})
