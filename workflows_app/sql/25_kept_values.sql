-- Large values are kept once, in the data of the event that brought them; a step's row says which event that is.

-- The output of a step, from its columns output and output_event.
CREATE OR REPLACE FUNCTION wf_output(p_instance uuid, p_output jsonb, p_event bigint) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_event IS NULL THEN p_output ELSE (SELECT e.data->'output' FROM workflows_app_event e
        WHERE e.instance_id = p_instance AND e.sequence = p_event) END
$$;

-- The parameters of a step, from its columns input and input_from: {event, take, put}; at put in the input belongs what
-- is at take in the output that the event has.
CREATE OR REPLACE FUNCTION wf_input(p_instance uuid, p_input jsonb, p_from jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_from IS NULL THEN p_input ELSE (
        -- Below a key of its own: nothing can be put at an empty path.
        SELECT jsonb_set(jsonb_build_object('all', coalesce(p_input, 'null')),
            '{all}' || ARRAY(SELECT jsonb_array_elements_text(p_from->'put')),
            e.data #> ('{output}' || ARRAY(SELECT jsonb_array_elements_text(p_from->'take'))))->'all'
        FROM workflows_app_event e WHERE e.instance_id = p_instance AND e.sequence = (p_from->>'event')::bigint) END
$$;
