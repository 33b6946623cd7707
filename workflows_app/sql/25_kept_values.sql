-- Large values are kept once, in the data of the event that brought them; a step's row refers to it: in the columns
-- input_from and output_from, {event, take, put}. What is at take in the data of that event of the same instance belongs
-- at put in the row's input or output. The event has the value itself, never a reference to another one.

CREATE OR REPLACE FUNCTION wf_keys(p_keys jsonb) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT jsonb_array_elements_text(p_keys))
$$;

-- The input or the output of a step, from the two columns that keep it.
CREATE OR REPLACE FUNCTION wf_kept(p_instance uuid, p_value jsonb, p_from jsonb) RETURNS jsonb
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_from IS NULL THEN p_value ELSE (
        -- Nothing can be put at an empty path; and what is put somewhere is taken apart, which costs.
        SELECT CASE WHEN p_from->'put' = '[]' THEN e.data #> wf_keys(p_from->'take')
            ELSE jsonb_set(p_value, wf_keys(p_from->'put'), e.data #> wf_keys(p_from->'take')) END
        FROM workflows_app_event e WHERE e.instance_id = p_instance AND e.sequence = (p_from->>'event')::bigint) END
$$;

-- The reference to the whole output that a step.completed has.
CREATE OR REPLACE FUNCTION wf_written(p_event bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('event', p_event, 'take', '["output"]'::jsonb, 'put', '[]'::jsonb)
$$;

-- How a row keeps parameters or an output, from what their event says: p_value, which lacks a part, and p_origin, {take,
-- put}; and from the columns that keep what the part is taken from. As handing.reference does; value_from is null if the
-- part is none of what those refer to.
CREATE OR REPLACE FUNCTION wf_refer(p_value jsonb, p_origin jsonb, p_source jsonb, p_source_from jsonb,
    OUT value jsonb, OUT value_from jsonb)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    take text[] := wf_keys(p_origin->'take');
    put text[] := wf_keys(p_origin->'put');
    hole text[] := wf_keys(p_source_from->'put');
    n int := least(cardinality(take), cardinality(hole));
BEGIN
    value := p_value;
    IF cardinality(hole) > n OR take[:n] <> hole[:n] THEN
        -- What stands around the reference in the source comes along.
        value := CASE WHEN put = '{}' THEN p_source #> take ELSE jsonb_set(value, put, p_source #> take) END;
    END IF;
    IF take[:n] = hole[:n] THEN
        value_from := jsonb_build_object('event', p_source_from->'event',
            'take', to_jsonb(wf_keys(p_source_from->'take') || take[n + 1:]), 'put', to_jsonb(put || hole[n + 1:]));
    END IF;
END $$;

-- How a row keeps parameters, from the data of their event, and from the columns that keep the output of the step that
-- input_from names; where it names none, the part is of the workflow's input, with which every history begins.
CREATE OR REPLACE FUNCTION wf_given(p_data jsonb, p_output jsonb, p_output_from jsonb, OUT value jsonb, OUT value_from jsonb)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT p_data ? 'input_from' THEN
        value := p_data->'input';
    ELSIF p_data#>>'{input_from,step}' IS NULL THEN
        SELECT * INTO value, value_from FROM wf_refer(p_data->'input', p_data->'input_from', NULL,
            '{"event": 1, "take": ["input"], "put": []}');
    ELSE
        SELECT * INTO value, value_from FROM wf_refer(p_data->'input', p_data->'input_from', p_output, p_output_from);
    END IF;
    value := nullif(value, 'null');
END $$;
