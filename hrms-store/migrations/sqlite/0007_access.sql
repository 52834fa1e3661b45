-- Whoever runs an organisation's account today owns it from now on; and events tell all that decisions about
-- them rest on.

UPDATE membership SET roles = json_insert(roles, '$[#]', 'owner')
    WHERE EXISTS (SELECT 1 FROM json_each(membership.roles) WHERE value = 'admin');

ALTER TABLE event ADD COLUMN designation_id  BLOB;
ALTER TABLE event ADD COLUMN location_id     BLOB;
ALTER TABLE event ADD COLUMN employment_type TEXT;
ALTER TABLE event ADD COLUMN status          TEXT;
