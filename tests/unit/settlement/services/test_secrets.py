"""Suppliers' secrets at rest."""

import pytest

from settlement.services.secrets import SecretUnreadable, seal, unseal

ONE, OTHER = "0192e4a0-0000-7000-8000-000000000001", "0192e4a0-0000-7000-8000-000000000002"


def test_what_was_sealed_is_read_again_and_stands_nowhere_in_the_text():
    sealed = seal("sk-very-secret", endpoint_uuid=ONE)
    assert "secret" not in sealed
    assert unseal(sealed, endpoint_uuid=ONE) == "sk-very-secret"
    assert seal("sk-very-secret", endpoint_uuid=ONE) != sealed
    assert (seal("", endpoint_uuid=ONE), unseal("", endpoint_uuid=ONE)) == ("", "")


def test_it_is_of_no_use_at_another_endpoint():
    with pytest.raises(SecretUnreadable):
        unseal(seal("sk", endpoint_uuid=ONE), endpoint_uuid=OTHER)


def test_an_older_key_still_reads_and_an_unknown_one_does_not(settings):
    settings.SUPPLIER_SECRET_KEYS = ["a first key of thirty-two letters"]
    sealed = seal("sk", endpoint_uuid=ONE)
    settings.SUPPLIER_SECRET_KEYS = ["another key of thirty-two letters", "a first key of thirty-two letters"]
    assert unseal(sealed, endpoint_uuid=ONE) == "sk"
    settings.SUPPLIER_SECRET_KEYS = ["another key of thirty-two letters"]
    with pytest.raises(SecretUnreadable):
        unseal(sealed, endpoint_uuid=ONE)


@pytest.mark.parametrize("text", ["1:", "1:????", "1:AAAA", "plain text", "1:" + "A" * 64])
def test_what_was_never_sealed_can_not_be_read(text):
    with pytest.raises(SecretUnreadable):
        unseal(text, endpoint_uuid=ONE)
