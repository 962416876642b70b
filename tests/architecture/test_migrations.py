"""No model is ahead of its migrations. Asked of the code alone: no database has to be there."""

from django.apps import apps
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState


def missing(now: ProjectState) -> dict[str, list[str]]:
    """By app, the operations that would lead from the migrations to these models."""
    loader = MigrationLoader(None)
    found = MigrationAutodetector(loader.project_state(), now).changes(graph=loader.graph)
    return {app: [operation.describe() for migration in ahead for operation in migration.operations] for app, ahead in found.items()}


def test_every_model_has_its_migrations() -> None:
    assert missing(ProjectState.from_apps(apps)) == {}


def test_a_field_without_its_migration_is_seen() -> None:
    changed = ProjectState.from_apps(apps)
    del changed.models["rights", "unitlock"].fields["units"]
    assert "Remove field units from unitlock" in missing(changed)["rights"]


def test_no_two_migrations_lead_an_app_to_its_present() -> None:
    assert MigrationLoader(None).detect_conflicts() == {}
