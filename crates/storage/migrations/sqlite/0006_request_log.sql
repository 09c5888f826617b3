-- Events by what they are about, read backwards: each index ends with the event's number, which is the row's own. Rooms and
-- people by what they are called.
CREATE INDEX event_room ON event (room_id) WHERE room_id IS NOT NULL;
CREATE INDEX event_person ON event (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX event_source ON event (source_id) WHERE source_id IS NOT NULL;
CREATE INDEX event_kind ON event (kind);
CREATE INDEX change_actor ON change (actor_kind, actor, id);
CREATE INDEX room_listed ON room (name_key, id);
CREATE INDEX membership_stray_room ON membership (room_id) WHERE active = 1 AND stray IS NOT NULL;
CREATE INDEX person_name ON person (lower(display_name));
CREATE INDEX person_rest_of_name ON person (lower(substr(display_name, instr(display_name, ' ') + 1)));

-- Requests that identity providers sent lately: all that were refused, some of those that were done. Written in batches beside
-- the requests, and forgotten after a while: what happened because of them is in `event`.
CREATE TABLE request_log (
    id INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES source (id),
    at_us INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    micros INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    reason TEXT
) STRICT;
CREATE INDEX request_log_source ON request_log (source_id, id);
CREATE INDEX request_log_refused ON request_log (source_id, id) WHERE status >= 400;
