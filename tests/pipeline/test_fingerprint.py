"""A fingerprint moves with meaning and with nothing else."""

import pytest

from haplorag.pipeline import fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    (tmp_path / "inner").mkdir()
    files = {
        "step.py": (
            '"""A step."""\nfrom haplorag import core\n\n'
            'def run():\n    """Run."""\n    return core.value\n'
        ),
        "core.py": "from haplorag.inner.deep import value\n",
        "inner/__init__.py": "",
        "inner/deep.py": "value = 1\n",
        "other.py": "value = 2\n",
        "settings.py": "value = 3\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def edit(path, old, new):
    before = fingerprint.hash_module("haplorag.step")
    path.write_text(path.read_text().replace(old, new))
    return before != fingerprint.hash_module("haplorag.step")


def test_comments_docstrings_and_layout_do_not_count(package):
    assert not edit(
        package / "step.py", "    return core.value", "    # why\n    return (core.value)"
    )
    assert not edit(package / "step.py", '"""Run."""', '"""Run it."""')


def test_a_changed_line_counts(package):
    assert edit(package / "step.py", "core.value", "core.value + 1")


def test_an_edit_two_imports_away_counts(package):
    assert edit(package / "inner/deep.py", "1", "2")


def test_modules_that_are_not_imported_do_not_count(package):
    assert not edit(package / "other.py", "2", "3")


def test_settings_do_not_count(package):
    (package / "step.py").write_text("from haplorag import settings\n")
    assert not edit(package / "settings.py", "3", "4")
