"""Files and their JSON schemas."""

from check_jsonschema import main
from click.testing import CliRunner


def follow_schema(*arguments: object) -> None:
    """`check-jsonschema ARGUMENT ...` in this process: its imports take seconds."""
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
