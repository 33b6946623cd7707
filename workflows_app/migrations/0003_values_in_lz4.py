"""Large values are compressed with LZ4 where the server has it: writing one costs a tenth of what PGLZ takes."""

from typing import ClassVar

from django.db import migrations

COLUMNS = {
    "event": ("data",),
    "step": ("input", "undo_input", "output"),
    "instance": ("input", "variables", "output"),
}


def compress(method: str) -> str:
    changes = "".join(
        f"ALTER TABLE workflows_app_{table} "
        + ", ".join(f"ALTER {c} SET COMPRESSION {method}" for c in columns)
        + ";\n"
        for table, columns in COLUMNS.items()
    )
    return f"DO $$ BEGIN\n{changes}EXCEPTION WHEN feature_not_supported THEN NULL;\nEND $$"


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows_app", "0002_shorter_checks")]

    operations: ClassVar = [migrations.RunSQL(compress("lz4"), compress("pglz"))]
