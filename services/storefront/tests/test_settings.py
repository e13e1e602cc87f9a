import pytest

from chassis.settings import SettingsError
from storefront.settings import Settings


def test_the_key_is_below_souk_home_unless_a_file_is_given(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "storefront.key").write_text("a" * 32 + "\n" + "b" * 32 + "\n")
    (tmp_path / "other.key").write_text("c" * 64)
    settings = Settings.load({"SOUK_HOME": str(tmp_path)})
    assert settings.session_keys == ["a" * 32, "b" * 32]
    settings = Settings.load({"SOUK_HOME": str(tmp_path), "SESSION_KEY_FILE": str(tmp_path / "other.key")})
    assert settings.session_keys == ["c" * 64]


@pytest.mark.parametrize(
    ("content", "text"), [(None, "cannot read"), ("", "there is no key"), ("a" * 64 + "\nshort\n", "at least 32")]
)
def test_a_missing_or_weak_key_is_a_clear_error_beside_the_others(tmp_path, content, text):
    file = tmp_path / "session.key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        Settings.load({"SESSION_KEY_FILE": str(file), "THREADS": "0"})
    assert f"SESSION_KEY_FILE: Value error, {text}" in str(caught.value) or text in str(caught.value)
    assert str(file) in str(caught.value) and "THREADS" in str(caught.value)
