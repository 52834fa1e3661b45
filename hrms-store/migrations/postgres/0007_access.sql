-- Whoever runs an organisation's account today owns it from now on; and events tell all that decisions about
-- them rest on.

-- The owner of the tables is bound by row-level security too, and would change nothing.
ALTER TABLE membership NO FORCE ROW LEVEL SECURITY;
UPDATE membership SET roles = roles || '["owner"]'::jsonb WHERE roles @> '["admin"]'::jsonb;
ALTER TABLE membership FORCE ROW LEVEL SECURITY;

ALTER TABLE event
    ADD COLUMN designation_id  uuid,
    ADD COLUMN location_id     uuid,
    ADD COLUMN employment_type text COLLATE "C",
    ADD COLUMN status          text COLLATE "C";
