-- Closing and purging of organisations, and the access of operators inside them (docs/decisions/0008).

-- Closed: nobody gets in, as with 'suspended', which is what the status says as well. Gone for good after purge_after.
ALTER TABLE organization
    ADD COLUMN closed_at              timestamptz,
    ADD COLUMN purge_after            timestamptz,
    ADD COLUMN close_reason           text,
    ADD COLUMN support_access_allowed boolean NOT NULL DEFAULT true;
CREATE INDEX organization_purge_idx ON organization (purge_after) WHERE purge_after IS NOT NULL;

-- An operator of the service may use the rights of a member for a while. No reference to the membership: what
-- happened stays on record when the member is gone.
CREATE TABLE support_grant (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    operator_id    uuid        NOT NULL,
    operator_name  text        NOT NULL,
    user_id        uuid        NOT NULL,
    session_id     uuid        NOT NULL,
    reason         text        NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    ended_by       uuid,
    updated_at     timestamptz NOT NULL,
    version        bigint      NOT NULL,
    CONSTRAINT support_grant_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT support_grant_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES organization (id),
    CONSTRAINT support_grant_operator_fkey FOREIGN KEY (operator_id) REFERENCES platform_operator (user_id)
);
CREATE INDEX support_grant_created_idx ON support_grant (tenant_id, created_at, id);
ALTER TABLE support_grant ENABLE ROW LEVEL SECURITY;
ALTER TABLE support_grant FORCE ROW LEVEL SECURITY;
CREATE POLICY support_grant_tenant ON support_grant TO hrms_app
    USING (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('hrms.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE (ended_at, ended_by, updated_at, version) ON support_grant TO hrms_app;

-- Removes every row of a closed organisation whose hold is over, by both clocks: the caller's and the database's.
-- Whether there was one. Runs as the owner, who is a member of hrms_app and so bound to one tenant like it; which
-- tables there are it asks the catalogue, so that later ones are purged too. One statement deletes from all of
-- them, because references are checked at its end.
CREATE FUNCTION purge_organization(organization_id uuid, present timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant_before text := coalesce(current_setting('hrms.tenant_id', true), '');
    everything    text;
    members       uuid[];
    member        uuid;
    dependent     record;
BEGIN
    PERFORM set_config('hrms.tenant_id', organization_id::text, true);
    PERFORM FROM public.organization AS o
        WHERE o.id = organization_id AND o.closed_at IS NOT NULL AND o.purge_after <= least(present, now())
        FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM set_config('hrms.tenant_id', tenant_before, true);
        RETURN false;
    END IF;

    SELECT array_agg(m.user_id) INTO members FROM public.membership AS m WHERE m.tenant_id = organization_id;
    SELECT 'WITH ' || string_agg(
               format('t%s AS (DELETE FROM %s WHERE tenant_id = $1)', c.oid, c.oid::regclass), ', ')
           || ' DELETE FROM public.organization WHERE id = $1'
        INTO everything
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND a.attname = 'tenant_id' AND NOT a.attisdropped;
    EXECUTE everything USING organization_id;
    PERFORM set_config('hrms.tenant_id', tenant_before, true);

    -- Accounts that nothing refers to any more: no membership elsewhere, no operator.
    FOREACH member IN ARRAY coalesce(members, '{}') LOOP
        BEGIN
            FOR dependent IN
                SELECT k.conrelid::regclass AS name, a.attname AS col
                FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
                WHERE k.contype = 'f' AND k.confrelid = 'public.user_account'::regclass
                    AND k.conrelid <> 'public.platform_operator'::regclass
                    AND NOT EXISTS (SELECT FROM pg_attribute AS t WHERE t.attrelid = k.conrelid
                        AND t.attname = 'tenant_id' AND NOT t.attisdropped)
            LOOP
                EXECUTE format('DELETE FROM %s WHERE %I = $1', dependent.name, dependent.col) USING member;
            END LOOP;
            DELETE FROM public.user_account AS u WHERE u.id = member;
        EXCEPTION WHEN foreign_key_violation THEN
            -- Still needed: the block is undone, with what depends on the account.
            NULL;
        END;
    END LOOP;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION purge_organization(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_organization(uuid, timestamptz) TO hrms_directory;
