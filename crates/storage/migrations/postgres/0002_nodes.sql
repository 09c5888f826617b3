-- Which process reads a source. `fence` ascends with each taking and never goes back: whoever holds an older one writes
-- nothing any more. A lease that was given back has no owner.
CREATE TABLE pull_lease (
    source_id BIGINT PRIMARY KEY REFERENCES source (id),
    owner UUID,
    fence BIGINT NOT NULL,
    until_us BIGINT NOT NULL
);

-- The moment at which a statement looks, the same for all processes whatever their own clocks say.
CREATE FUNCTION clock_us() RETURNS BIGINT LANGUAGE sql VOLATILE
    AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT';

-- The process that does a read, or did it.
ALTER TABLE pull_run ADD COLUMN node UUID;

-- Groups that went, by the id that the source itself knows them by.
CREATE INDEX source_group_former ON source_group (source_id, remote_id) WHERE remote_id IS NOT NULL AND gone_us IS NOT NULL;
