"""A row refers to a large value in one way: ``input_from`` and ``output_from`` both name a place in an event's data."""

from typing import ClassVar

from django.db import migrations, models

# Of an output only the event was named, and of an input the place in an output.
FORWARDS = [
    """UPDATE workflows_app_step
    SET output_from = jsonb_build_object('event', output_event, 'take', '["output"]'::jsonb, 'put', '[]'::jsonb)
    WHERE output_event IS NOT NULL""",
    """UPDATE workflows_app_step SET input_from = jsonb_set(input_from, '{take}', '["output"]' || (input_from->'take'))
    WHERE input_from IS NOT NULL""",
]

# What the older shape cannot say is written out.
BACKWARDS = [
    """UPDATE workflows_app_step s SET output_from = NULL, output = jsonb_set(
        jsonb_build_object('all', coalesce(s.output, 'null')),
        '{all}' || ARRAY(SELECT jsonb_array_elements_text(s.output_from->'put')),
        e.data #> ARRAY(SELECT jsonb_array_elements_text(s.output_from->'take')))->'all'
    FROM workflows_app_event e
    WHERE e.instance_id = s.instance_id AND e.sequence = (s.output_from->>'event')::bigint
        AND (s.output_from->'take' <> '["output"]' OR s.output_from->'put' <> '[]')""",
    """UPDATE workflows_app_step SET output_event = (output_from->>'event')::bigint WHERE output_from IS NOT NULL""",
    """UPDATE workflows_app_step s SET input_from = NULL, input = jsonb_set(
        jsonb_build_object('all', coalesce(s.input, 'null')),
        '{all}' || ARRAY(SELECT jsonb_array_elements_text(s.input_from->'put')),
        e.data #> ARRAY(SELECT jsonb_array_elements_text(s.input_from->'take')))->'all'
    FROM workflows_app_event e
    WHERE e.instance_id = s.instance_id AND e.sequence = (s.input_from->>'event')::bigint
        AND s.input_from->'take'->>0 <> 'output'""",
    """UPDATE workflows_app_step SET input_from = jsonb_set(input_from, '{take}', (input_from->'take') - 0)
    WHERE input_from IS NOT NULL""",
]


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0031_why_versions_changed")]

    operations: ClassVar = [
        migrations.AddField(
            "step",
            "output_from",
            models.JSONField(null=True, help_text="Whence a part of the output is taken; see ``wf_kept``."),
        ),
        migrations.AlterField(
            "step",
            "input_from",
            models.JSONField(null=True, help_text="Whence a part of the input is taken; see ``wf_kept``."),
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
        migrations.RemoveField("step", "output_event"),
    ]
