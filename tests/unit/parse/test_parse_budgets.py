"""How budgets merge, expand to classes and are bounded by policies."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from deployspec.errors import SpecFaults
from deployspec.ir.rules import EvidenceClass
from deployspec.parse import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployspec.ir.spec import Spec, Target

HEAD = """
deployspec = 1
[model]
name = "pets"
source = "pets.py:build"
[[model.inputs]]
name = "image"
shape = ["batch", 1, 8, 8]
[data]
test = "test.npz"
field = "field.npz"
"""
THREE = '[task]\nkind = "classification"\nlabels = ["cat", "dog", "bird"]\n'
BINARY = '[task]\nkind = "binary"\nlabels = ["ham", "spam"]\npositive = "spam"\n'


@pytest.fixture
def parse(tmp_path: Path) -> Callable[..., Spec]:
    """Parse HEAD with more text after it; keyword arguments are policies (name = text)."""

    def write(more: str, task: str = THREE, **policies: str) -> Spec:
        (tmp_path / "pets.py").write_text("build = wer = None\n")
        for name, text in policies.items():
            (tmp_path / f"{name}.toml").write_text("deployspec = 1\n" + text)
        extends = f"[policy]\nextends = {[f'{name}.toml' for name in policies]}\n" if policies else ""
        (tmp_path / "spec.toml").write_text(HEAD + task + extends + more)
        return parse_spec(tmp_path / "spec.toml")

    return write


def limits(target: Target) -> dict[str, str]:
    return {budget.name: budget.limit.text for budget in target.budgets}


PHONE = '[targets.phone]\nformat = "tflite"\n'


def test_a_star_is_each_class_not_named(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[budgets]\nrecall = { dog = ">= 90 %", "*" = ">= 85 %" }\n' + PHONE).targets
    assert limits(phone) == {"recall.cat": ">= 85 %", "recall.dog": ">= 90 %", "recall.bird": ">= 85 %"}


def test_a_bare_limit_is_every_class(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[budgets]\nf1 = ">= 85 %"\n' + PHONE).targets
    assert limits(phone) == dict.fromkeys(("f1.cat", "f1.dog", "f1.bird"), ">= 85 %")


def test_a_bare_limit_of_a_binary_task_is_the_positive_class(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[budgets]\nrecall = ">= 85 %"\n' + PHONE, BINARY).targets
    assert limits(phone) == {"recall.spam": ">= 85 %"}


def test_a_targets_own_budget_wins_key_by_key(parse: Callable[..., Spec]) -> None:
    common = '[budgets]\nsize = "< 20 MB"\nrecall = { dog = ">= 90 %", "*" = ">= 85 %" }\n'
    own = 'budgets = { size = "< 10 MB", recall = { cat = ">= 70 %" } }\n'
    (phone,) = parse(common + PHONE + own).targets
    assert limits(phone) == {
        "size": "< 10 MB",
        "recall.cat": ">= 70 %",
        "recall.dog": ">= 90 %",
        "recall.bird": ">= 85 %",
    }


def test_a_targets_bare_limit_replaces_a_table_of_classes(parse: Callable[..., Spec]) -> None:
    common = '[budgets]\nrecall = { dog = ">= 90 %" }\n'
    (phone,) = parse(common + PHONE + 'budgets.recall = ">= 60 %"\n').targets
    assert limits(phone) == dict.fromkeys(("recall.cat", "recall.dog", "recall.bird"), ">= 60 %")


def test_a_targets_class_stands_beside_a_common_bare_limit(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[budgets]\nrecall = ">= 80 %"\n' + PHONE + 'budgets.recall.dog = ">= 60 %"\n').targets
    assert limits(phone) == {"recall.cat": ">= 80 %", "recall.dog": ">= 60 %", "recall.bird": ">= 80 %"}


def test_field_budgets_are_apart_from_those_on_test(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[budgets]\naccuracy = ">= 90 %"\nfield.accuracy = ">= 80 %"\n' + PHONE).targets
    assert limits(phone) == {"accuracy": ">= 90 %", "field.accuracy": ">= 80 %"}
    assert [budget.split for budget in phone.budgets] == ["test", "field"]


def test_labels_called_good_and_limit_are_classes(parse: Callable[..., Spec]) -> None:
    task = '[task]\nkind = "classification"\nlabels = ["good", "bad"]\n'
    with pytest.raises(SpecFaults):
        parse('[budgets]\nrecall = { good = ">= 90 %" }\n' + PHONE, '[task]\nkind = "classification"\nlabels = ["a"]\n')
    (phone,) = parse('[budgets]\nrecall = { good = ">= 90 %", bad = ">= 80 %" }\n' + PHONE, task).targets
    assert limits(phone) == {"recall.good": ">= 90 %", "recall.bad": ">= 80 %"}


def test_a_good_band_is_read_beside_the_limit(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[budgets]\nsize = { good = "< 20 MB", limit = "< 100 MB" }\n' + PHONE).targets
    (budget,) = phone.budgets
    assert budget.good is not None
    assert (budget.good.limit, budget.limit.limit) == (Decimal(20_000_000), Decimal(100_000_000))


def test_a_metric_of_ones_own_makes_two_budgets(parse: Callable[..., Spec]) -> None:
    metric = '[metrics.wer]\nsource = "pets.py:wer"\nbetter = "lower"\n'
    (phone,) = parse(metric + '[budgets]\nwer = "< 0.2"\nwer_rise = "< 0.01"\n' + PHONE).targets
    assert limits(phone) == {"wer": "< 0.2", "wer_rise": "< 0.01"}
    with pytest.raises(SpecFaults) as caught:
        parse(metric + '[budgets]\nwer_drop = "< 0.01"\n' + PHONE)
    assert [fault.code for fault in caught.value.faults] == ["unknown-budget"]


def test_the_change_of_an_own_metric_is_in_its_unit_or_relative_and_its_figure_has_no_unit(
    parse: Callable[..., Spec],
) -> None:
    metric = '[metrics.wer]\nsource = "pets.py:wer"\nbetter = "higher"\n'
    (phone,) = parse(metric + '[budgets]\nwer = "> 0.2"\nwer_drop = "< 2 %"\n' + PHONE).targets
    assert [each.limit.relative for each in phone.budgets] == [False, True]
    assert [each.own_metric for each in phone.budgets] == ["wer", "wer"]
    assert [each.row.measured_from for each in phone.budgets] == ["metrics.wer", "metrics.wer"]
    for line in ('wer = "> 2 %"', 'wer_drop = "> 0.1"', 'wer = "< 0.2"', 'wer_drop = "< 1 pp"'):
        with pytest.raises(SpecFaults) as caught:
            parse(metric + f"[budgets]\n{line}\n" + PHONE)
        assert [fault.code for fault in caught.value.faults] == ["bad-limit"]


class TestPolicy:
    def test_adds_what_the_spec_leaves_out(self, parse: Callable[..., Spec]) -> None:
        (phone,) = parse('[budgets]\nsize = "< 20 MB"\n' + PHONE, floor='[budgets]\naccuracy = ">= 80 %"\n').targets
        assert limits(phone) == {"size": "< 20 MB", "accuracy": ">= 80 %"}

    def test_may_be_tightened(self, parse: Callable[..., Spec]) -> None:
        (phone,) = parse('[budgets]\nsize = "< 20 MB"\n' + PHONE, floor='[budgets]\nsize = "< 50 MB"\n').targets
        assert limits(phone) == {"size": "< 20 MB"}

    @pytest.mark.parametrize(("own", "demanded"), [("<= 20 MB", "< 20 MB"), ("< 21 MB", "< 20 MB")])
    def test_is_never_loosened(self, parse: Callable[..., Spec], own: str, demanded: str) -> None:
        with pytest.raises(SpecFaults) as caught:
            parse(f'[budgets]\nsize = "{own}"\n' + PHONE, floor=f'[budgets]\nsize = "{demanded}"\n')
        assert [fault.code for fault in caught.value.faults] == ["loosens-policy"]

    def test_bounds_a_targets_own_budgets_too(self, parse: Callable[..., Spec]) -> None:
        own = PHONE + 'budgets.recall.dog = ">= 70 %"\n'
        with pytest.raises(SpecFaults) as caught:
            parse('[budgets]\nrecall = ">= 90 %"\n' + own, floor='[budgets]\nrecall = ">= 80 %"\n')
        assert [fault.path for fault in caught.value.faults] == [("targets", "phone", "budgets", "recall", "dog")]

    def test_the_tightest_of_several_holds(self, parse: Callable[..., Spec]) -> None:
        tight, loose = '[budgets]\nsize = "< 30 MB"\n', '[budgets]\nsize = "< 50 MB"\n'
        for policies in ({"a": tight, "b": loose}, {"a": loose, "b": tight}):
            (phone,) = parse(PHONE, **policies).targets
            assert limits(phone) == {"size": "< 30 MB"}

    def test_its_good_band_stays_where_the_spec_gives_none(self, parse: Callable[..., Spec]) -> None:
        bands = '[budgets]\nsize = { good = "< 20 MB", limit = "< 100 MB" }\n'
        (loose,) = parse('[budgets]\nsize = "< 50 MB"\n' + PHONE, floor=bands).targets
        (tight,) = parse('[budgets]\nsize = "< 10 MB"\n' + PHONE, floor=bands).targets
        assert [budget.good.text for budget in loose.budgets if budget.good] == ["< 20 MB"]
        assert [budget.good for budget in tight.budgets] == [None]

    def test_the_tightest_good_band_of_several_holds(self, parse: Callable[..., Spec]) -> None:
        tight = '[budgets]\nsize = { good = "< 20 MB", limit = "< 100 MB" }\n'
        loose = '[budgets]\nsize = { good = "< 30 MB", limit = "< 50 MB" }\n'
        for policies in ({"a": tight, "b": loose}, {"a": loose, "b": tight}):
            (budget,) = parse(PHONE, **policies).targets[0].budgets
            assert (budget.limit.text, budget.good and budget.good.text) == ("< 50 MB", "< 20 MB")

    def test_of_a_version_that_is_not_known_is_refused(self, parse: Callable[..., Spec], tmp_path: Path) -> None:
        (tmp_path / "newer.toml").write_text('deployspec = 2\n[budgets]\nsize = "< 1 MB"\n')
        with pytest.raises(SpecFaults) as caught:
            parse('[policy]\nextends = ["newer.toml"]\n' + PHONE)
        assert [(fault.code, fault.file.name) for fault in caught.value.faults] == [("unknown-version", "newer.toml")]

    def test_raises_the_rules_of_proof(self, parse: Callable[..., Spec]) -> None:
        floor = '[evidence]\nconfidence = 0.99\nlatency = "device"\nmin_support = 30\n'
        (phone,) = parse('[budgets]\nsize = "< 20 MB"\n' + PHONE, floor=floor).targets
        assert phone.rules.confidence == Decimal("0.99")
        assert phone.rules.least["latency"] is EvidenceClass.DEVICE
        assert phone.rules.min_support == 30

    def test_bounds_what_figures_mean_where_the_spec_does_not_say(self, parse: Callable[..., Spec]) -> None:
        sized = '[budgets]\nsize = "< 20 MB"\n' + PHONE
        bare = parse(sized)
        strict = parse(
            sized, loose="[evidence]\ntolerance = 0.5\n", floor='[evidence]\ntolerance = 0.002\nsustained = "5 min"\n'
        )
        assert (bare.tolerance, bare.targets[0].sustained_s) == (0.01, 120)
        assert (strict.tolerance, strict.targets[0].sustained_s) == (0.002, 300)
        assert parse(sized, floor='[evidence]\ntolerance = 0.5\nsustained = "1 s"\n').tolerance == 0.01

    def test_raises_the_noise_of_churn(self, parse: Callable[..., Spec]) -> None:
        floor, own = '[evidence]\nchurn_noise = "3 %"\n', '[budgets]\nsize = "< 20 MB"\n' + PHONE
        assert parse(own).churn_noise == Decimal("0.01")
        assert parse(own, floor=floor).churn_noise == Decimal("0.03")
        assert parse(f'[evidence]\nchurn_noise = "5 %"\n{own}', floor=floor).churn_noise == Decimal("0.05")
        with pytest.raises(SpecFaults) as caught:
            parse(f'[evidence]\nchurn_noise = "2 %"\n{own}', floor=floor)
        assert [fault.message for fault in caught.value.faults] == ["the policy demands a churn_noise of 3 %"]

    def test_is_told_of_a_noise_that_is_none(self, parse: Callable[..., Spec]) -> None:
        with pytest.raises(SpecFaults) as caught:
            parse('[budgets]\nsize = "< 20 MB"\n' + PHONE, floor='[evidence]\nchurn_noise = "no"\n')
        assert [(fault.code, fault.file.name) for fault in caught.value.faults] == [("bad-share", "floor.toml")]

    @pytest.mark.parametrize("name", ["mobile", "mobile-vision", "optimization", "torchscript"])
    def test_packaged_ones_can_be_extended(self, parse: Callable[..., Spec], name: str) -> None:
        spec = parse(f'[policy]\nextends = ["deployspec:{name}"]\n' + PHONE)
        assert spec.policies[0].name == f"deployspec:{name}"
        assert spec.targets[0].budgets


def test_rules_default_to_the_device_where_there_is_one(parse: Callable[..., Spec]) -> None:
    host, device = parse(
        '[budgets]\nsize = "< 1 MB"\n' + PHONE + '[targets.pixel]\nformat = "tflite"\ndevice = "pixel-8"\n'
    ).targets
    assert host.rules.least["latency"] is EvidenceClass.HOST
    assert device.rules.least["latency"] is EvidenceClass.DEVICE
    assert device.rules.least["quality"] is EvidenceClass.HOST
    assert host.rules.confidence == Decimal("0.95")


def test_point_is_no_confidence(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[evidence]\nconfidence = "point"\n[budgets]\nsize = "< 1 MB"\n' + PHONE).targets
    assert phone.rules.confidence is None


def test_every_number_of_a_budget_is_exact(parse: Callable[..., Spec]) -> None:
    (phone,) = parse('[evidence]\nconfidence = 0.975\n[budgets]\naccuracy = ">= 92.7 %"\n' + PHONE).targets
    assert phone.budgets[0].limit.limit == Decimal("0.927")
    assert phone.rules.confidence == Decimal("0.975")
