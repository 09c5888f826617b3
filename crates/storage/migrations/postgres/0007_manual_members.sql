-- Those who are in a room by hand: a few among many.
CREATE INDEX membership_manual ON membership (room_id, person_id) WHERE active = 1 AND kind = 'manual';
