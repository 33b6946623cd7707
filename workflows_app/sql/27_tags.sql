-- The tags of an instance that a decision names, as its column has them: null for none.
CREATE OR REPLACE FUNCTION wf_tags(p_changes jsonb) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN nullif(ARRAY(SELECT jsonb_array_elements_text(p_changes->'tags')), '{}');
END $$;
