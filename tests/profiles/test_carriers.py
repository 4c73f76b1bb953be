"""Operators by name, number and SIM; the provider database of Debian where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from profiles import carriers, providers
from profiles.carriers import ApnSettings, by_numeric, find, own, parse, suggestion
from profiles.errors import ProfileError
from profiles.strict_yaml import parse as parse_yaml

needs_database = pytest.mark.skipif(
    not providers.FILE.exists(), reason="needs the Debian package mobile-broadband-provider-info"
)

NUMBERS = {
    "china-mobile": ("46000", "46002", "46004", "46007", "46008"),
    "china-unicom": ("46001", "46006", "46009"),
    "china-telecom": ("46003", "46005", "46011", "46012"),
    "china-broadnet": ("46015",),
    "viettel": ("45204",),
    "mobifone": ("45201",),
    "vinaphone": ("45202",),
    "vietnamobile": ("45205",),
    "gmobile": ("45207",),
    "itel": ("45208",),
}


@pytest.mark.parametrize(("carrier", "numerics"), NUMBERS.items())
def test_by_number(carrier: str, numerics: tuple[str, ...]) -> None:
    for numeric in numerics:
        found = by_numeric(numeric)
        assert found is not None
        assert found.id == carrier


@pytest.mark.parametrize(
    ("name", "carrier"),
    [
        ("viettel", "viettel"),
        ("VIETTEL", "viettel"),
        ("Viettel Mobile", "viettel"),
        ("china mobile", "china-mobile"),
        ("China-Mobile", "china-mobile"),
        ("中国移动", "china-mobile"),
        ("中国电信", "china-telecom"),
        ("vina phone", "vinaphone"),
    ],
)
def test_by_name(name: str, carrier: str) -> None:
    found = find(name)
    assert found is not None
    assert found.id == carrier


def test_a_name_that_is_unknown_is_nearly_one_that_is_known() -> None:
    assert find("vietel") is None
    assert suggestion("vietel") == ' (did you mean "Viettel"?)'
    assert "mccmnc" in suggestion("qqqq")


def test_guests_of_a_network_are_told_apart_by_their_sim() -> None:
    ids = [carrier and carrier.id for carrier in (by_numeric("46003"), by_numeric("46003", spn="CTExcel"))]
    assert ids == ["china-telecom", "ctexcel"]
    roamer = by_numeric("46001", spn="china telecom")
    assert roamer is not None
    assert roamer.id == "china-telecom"
    assert by_numeric("46001", spn="China Unicom") == find("china-unicom")


def test_imsi_gid_and_iccid_are_compared_by_how_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    host = "host: {name: Host, country: xx, aliases: [], apns: [], numerics: ['99901']}\n"
    guest = "{0}: {{name: {0}, country: xx, aliases: [], apns: [], numerics: [], mvno: [{{numeric: '99901', {1}}}]}}\n"
    guests = {"by-imsi": "imsi: '9990177'", "by-gid": "gid1: 4A", "by-card": "iccid: '898477'"}
    text = host + "".join(guest.format(name, rule) for name, rule in guests.items())
    rows = parse(parse_yaml(text.encode(), Path("/c.yaml")))
    monkeypatch.setattr(carriers, "own", lambda: rows)

    def found(**sim: str) -> str:
        carrier = by_numeric("99901", **sim)
        assert carrier is not None
        return carrier.id

    assert found() == "host"
    assert found(imsi="999017712345678") == "by-imsi"
    assert found(imsi="999018812345678", gid1="4a01") == "by-gid"
    assert found(iccid="89847712345678901234") == "by-card"


def test_access_points() -> None:
    telecom = find("china-telecom")
    assert telecom is not None
    assert telecom.apns[0] == ApnSettings(
        "中国电信", "ctnet", "ctnet@mycdma.cn", "vnet.mobi", auth="either", protocol="IPV4V6", types=("default", "supl")
    )
    for carrier in own():
        for apn in carrier.apns:
            assert apn.name
            assert apn.apn
            assert (apn.auth == "none") == (apn.user == "" and carrier.id != "ctexcel")


def test_every_row_can_be_found_by_each_of_its_names() -> None:
    for carrier in own():
        for name in (carrier.id, carrier.name, *carrier.aliases):
            assert find(name) == carrier


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("{}", '1:1: "name" is missing'),
        ("{nmae: x}", '1:5: unknown key "nmae"'),
        ("{numerics: [45204]}", "1:16: must be five or six digits, in quotes"),
        ("{apns: [{name: x}]}", '1:12: "apn" is missing'),
        ("{apns: [{name: x, apn: y, auth: md5}]}", "1:36: must be one of none, pap, chap, either"),
        ("{apns: [{name: x, apn: y, pass: z}]}", '1:30: unknown key "pass"'),
        ('{mvno: [{numeric: "45204"}]}', "1:12: must be a map of numeric and one of spn, imsi, gid1, iccid"),
    ],
)
def test_mistakes_are_told_by_their_place(row: str, expected: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse(parse_yaml(f"a: {row}".encode(), Path("/c.yaml")))
    assert f"/c.yaml:{expected}" in str(caught.value).splitlines()


def test_a_number_has_one_owner() -> None:
    row = "{name: n, country: xx, aliases: [], apns: [], numerics: ['45204']}"
    with pytest.raises(ProfileError, match="is the number of a, too"):
        parse(parse_yaml(f"a: {row}\nb: {row}\n".encode(), Path("/c.yaml")))


@needs_database
def test_the_database_knows_the_rest_of_the_world() -> None:
    cellcard = by_numeric("45601")
    assert cellcard is not None
    assert (cellcard.name, cellcard.country) == ("Cellcard", "kh")
    assert cellcard.apns[0].apn
    assert find("Cellcard") == cellcard
    assert len(providers.installed()) > 500


@needs_database
def test_a_name_that_several_countries_have_is_not_guessed() -> None:
    assert find("Vodafone") is None
    assert "several have this name" in suggestion("Vodafone")


@needs_database
def test_of_those_that_share_a_number_the_owner_of_the_network_is_taken() -> None:
    database = providers.parse(providers.FILE)
    numeric, owners = next((n, o) for n, o in sorted(database.primary.items()) if len(o) == 1)
    found = by_numeric(numeric)
    assert found is not None
    assert {(found.country, found.name)} == owners


def test_a_database_that_is_missing_broken_or_hostile_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "serviceproviders.xml"
    assert providers.parse(file).carriers == ()
    for text in ("<a><b></a>", "", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'):
        file.write_text(text)
        assert providers.parse(file) == providers.Database()


def test_a_provider_of_the_database(tmp_path: Path) -> None:
    file = tmp_path / "serviceproviders.xml"
    file.write_text(
        '<serviceproviders format="2.0"><country code="xx"><provider primary="true"><name>Somebody</name><gsm>'
        '<network-id mcc="999" mnc="01"/>'
        '<apn value="net"><usage type="internet"/><name>Net</name><username>u</username><password>p</password>'
        '<authentication method="chap"/></apn>'
        '<apn value="mms"><usage type="mms"/></apn>'
        '<apn value="plain"><plan type="prepaid"/></apn>'
        "</gsm></provider></country></serviceproviders>"
    )
    database = providers.parse(file)
    (carrier,) = database.carriers
    assert carrier.numerics == ("99901",)
    assert carrier.apns == (ApnSettings("Net", "net", "u", "p", "chap"), ApnSettings("Somebody", "plain"))
    assert database.primary["99901"] == {("xx", "Somebody")}
