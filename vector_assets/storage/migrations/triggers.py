"""How all revisions make triggers, so that they do the same whoever writes chunks."""

# Triggers run in the sessions of all programs that write chunks. They mean the same tables there, whatever
# the search path is and whichever temporary tables there are, and need no rights of the writer but those to write.
ONLY_OUR_NAMES = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)"
FUNCTION = "LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT"

# Triggers also run where a session replays what another server has written (session_replication_role = replica). Nobody
# may attach their functions to another table.
TRIGGERS = """
DO $do$
DECLARE name text;
BEGIN
    FOR name IN SELECT format('%s ENABLE ALWAYS TRIGGER %I', tgrelid::regclass, tgname) FROM pg_trigger t
                JOIN pg_class c ON c.oid = t.tgrelid
                WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace LOOP
        EXECUTE 'ALTER TABLE ' || name;
    END LOOP;
    FOR name IN SELECT oid::regprocedure FROM pg_proc
                WHERE prorettype = 'trigger'::regtype AND pronamespace = current_schema()::regnamespace LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', name);
    END LOOP;
END $do$;
"""
