-- When a source last said anything about an account. Groups are few beside accounts, and change with every member.
CREATE INDEX source_user_modified ON source_user (source_id, modified_us);
