"""Puts the gateway's live side together: one place for the command line and for Lambda."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from indexer.errors import SettingInvalid
from indexer.source.settings import StoreSettings
from object_lambda.gateway_replies import LiveSide
from object_lambda.live import LivePlace, LivePlaces
from object_lambda.live_http import HttpLive
from object_lambda.overlay import Overlay, Winner
from object_lambda.role import Role
from object_lambda.service import Service


def open_live_side(service: Service, places: Sequence[LivePlace], winner: Winner, env: Mapping[str, str]) -> LiveSide | None:
    """What serves unbound keys; None when there are no live prefixes.

    Args:
        service: Answers for what is bound.
        places: The live prefixes.
        winner: Which object is served where a key has both.
        env: `os.environ`: how to reach the store, and as whom.

    Raises:
        SettingInvalid: A live prefix lies in a bucket with no mount, or beneath another; the store's settings cannot work.
        AccessRefused: There are no credentials.
    """
    if not places:
        return None
    live_places = LivePlaces(places)
    for bucket in live_places.buckets():
        if bucket not in service.buckets():
            raise SettingInvalid("a live prefix has no mount above it", hint="Mount a catalog there", setting="live", bucket=bucket)
    settings = StoreSettings.read(env)
    return LiveSide(Overlay(service, live_places, winner), HttpLive(settings, Role(settings), clock=time.time))
