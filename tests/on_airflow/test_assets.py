"""The exports as Airflow assets: the DAG of the documentation waits for one that a kommune's run tells of."""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from dataflyt.config.loading import load

ROOT = Path(__file__).parents[2]
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder


def test_the_dag_of_the_documentation_waits_for_a_published_export() -> None:
    from dataflyt.on_airflow import operators

    text = (ROOT / "docs" / "engineer" / "monitoring.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    made: dict[str, Any] = {}
    exec(code, made)
    assert list(made["dag"].task_ids) == ["load"]
    (waited,) = made["dag"].timetable.asset_condition.objects
    told = operators.assets(load(ROOT / "include" / "kommuner" / "haugesund.yaml"))
    assert waited.uri == told["feide_ldif"].uri
