"""The command line. ``dataflyt --help`` lists the commands; each has a help of its own."""

from dataflyt.cli.account import account_app
from dataflyt.cli.airflow import airflow_app
from dataflyt.cli.all_kommuner import (
    digest_command,
    events_command,
    publish_command,
    reference_command,
    runs_command,
)
from dataflyt.cli.block import block_app
from dataflyt.cli.changes import oneroster_app, pifu_app
from dataflyt.cli.decide import decide_app
from dataflyt.cli.doctor import doctor_command
from dataflyt.cli.feide import feide_app
from dataflyt.cli.frame import frame_command
from dataflyt.cli.grant import consent_app, grant_app
from dataflyt.cli.kommune import kommune_app
from dataflyt.cli.norwegian import App
from dataflyt.cli.override import override_app
from dataflyt.cli.person import person_app
from dataflyt.cli.privacy import (
    disclosed_command,
    erase_command,
    privacy_record_command,
    retention_command,
    subject_access_command,
)
from dataflyt.cli.quality import quality_app
from dataflyt.cli.read import id_command, read_command
from dataflyt.cli.run import plan_command, run_command
from dataflyt.cli.show import audit_command, show_app
from dataflyt.cli.undo import undo_command
from dataflyt.cli.warehouse import warehouse_app
from dataflyt.cli.why import why_app
from dataflyt.cli.worklist import worklist_app

app = App(help="Fra registrene til FEIDE.")
app.command("read")(read_command)
app.command("id")(id_command)
app.command("doctor")(doctor_command)
app.command("run")(run_command)
app.command("plan")(plan_command)
app.command("frame")(frame_command)
app.command("undo")(undo_command)
app.command("audit")(audit_command)
app.command("events")(events_command)
app.command("publish")(publish_command)
app.command("reference")(reference_command)
app.command("digest")(digest_command)
app.command("runs")(runs_command)
app.command("retention")(retention_command)
app.command("erase")(erase_command)
app.command("subject-access")(subject_access_command)
app.command("disclosed")(disclosed_command)
app.command("privacy-record")(privacy_record_command)
app.add_typer(account_app, name="account")
app.add_typer(airflow_app, name="airflow")
app.add_typer(block_app, name="block")
app.add_typer(consent_app, name="consent")
app.add_typer(decide_app, name="decide")
app.add_typer(feide_app, name="feide")
app.add_typer(grant_app, name="grant")
app.add_typer(kommune_app, name="kommune")
app.add_typer(oneroster_app, name="oneroster")
app.add_typer(override_app, name="override")
app.add_typer(person_app, name="person")
app.add_typer(pifu_app, name="pifu")
app.add_typer(show_app, name="show")
app.add_typer(quality_app, name="quality")
app.add_typer(warehouse_app, name="warehouse")
app.add_typer(why_app, name="why")
app.add_typer(worklist_app, name="worklist")
