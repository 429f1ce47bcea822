"""Thresholds and their defaults."""

from __future__ import annotations

import pytest
from google.protobuf import json_format, text_format

from tfx_privacy.metrics.auc import Auc
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.verdict.limits import DEFAULT_LIMITS, resolve_thresholds, whole_limits


def _thresholds(text: str) -> thresholds_pb2.PrivacyThresholds:
    return text_format.Parse(text, thresholds_pb2.PrivacyThresholds())


def test_defaults() -> None:
    assert resolve_thresholds(thresholds_pb2.PrivacyThresholds()) == _thresholds(
        """
        thresholds { metric { name: "auc" } upper_limit: 0.55 role: MUST_PASS scope: WHOLE }
        thresholds { metric { name: "advantage" } upper_limit: 0.1 role: MUST_PASS scope: WHOLE }
        thresholds {
          metric { name: "tpr_at_fpr" fpr: 0.01 } upper_limit: 0.02 role: MUST_PASS scope: WHOLE
        }
        thresholds { metric { name: "auc" } upper_limit: 0.6 role: BLOCK_ONLY scope: EVERY_SLICE }
        on_cannot_tell: NOT_BLESSED
        on_no_baseline: SKIP_CHANGE
        minimum_slice_records { members: 200 nonmembers: 100 }
        """
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            'metric { name: "precision" } upper_limit: 0.6',
            'metric { name: "precision" prior: 0.5 } upper_limit: 0.6 role: MUST_PASS scope: WHOLE',
        ),
        (
            'metric { name: "auc" } upper_limit: 0.6 scope: EVERY_SLICE',
            'metric { name: "auc" } upper_limit: 0.6 scope: EVERY_SLICE role: BLOCK_ONLY',
        ),
        (
            'metric { name: "auc" } upper_limit: 0.6 slicing_specs { feature_keys: ["b", "a"] }',
            """metric { name: "auc" } upper_limit: 0.6 scope: EVERY_SLICE role: BLOCK_ONLY
               slicing_specs { feature_keys: ["a", "b"] }""",
        ),
        (
            'metric { name: "auc" } upper_limit: 0.6 scope: EVERY_SLICE role: MUST_PASS',
            'metric { name: "auc" } upper_limit: 0.6 scope: EVERY_SLICE role: MUST_PASS',
        ),
        (
            'metric { name: "epsilon" } upper_limit: 8',
            'metric { name: "epsilon" delta: 0 } upper_limit: 8 role: BLOCK_ONLY scope: WHOLE',
        ),
        (
            'metric { name: "canary_epsilon" delta: 1e-5 } upper_limit: 8',
            """metric { name: "canary_epsilon" delta: 1e-5 } upper_limit: 8
               role: BLOCK_ONLY scope: WHOLE""",
        ),
        (
            'metric { name: "auc" } change_limit: 0.02',
            'metric { name: "auc" } change_limit: 0.02 role: MUST_PASS scope: WHOLE',
        ),
    ],
)
def test_what_is_left_open_is_filled_in(given: str, expected: str) -> None:
    given_thresholds = _thresholds(f"thresholds {{ {given} }}")
    copy = _thresholds(f"thresholds {{ {given} }}")
    resolved = resolve_thresholds(given_thresholds)
    assert list(resolved.thresholds) == list(_thresholds(f"thresholds {{ {expected} }}").thresholds)
    assert resolve_thresholds(resolved) == resolved
    assert given_thresholds == copy


FULL = """
    thresholds { metric { name: "auc" } upper_limit: 0.52 role: MUST_PASS scope: WHOLE }
    thresholds { metric { name: "auc" } upper_limit: 0.6 role: BLOCK_ONLY scope: WHOLE }
    thresholds { metric { name: "auc" } upper_limit: 0.6 role: BLOCK_ONLY scope: EVERY_SLICE }
    thresholds { metric { name: "auc" } change_limit: 0.01 role: MUST_PASS scope: WHOLE }
    thresholds {
      metric { name: "auc" } upper_limit: 0.6 role: BLOCK_ONLY scope: EVERY_SLICE
      slicing_specs { feature_keys: "age" feature_values { key: "sex" value: "f" } }
    }
    on_cannot_tell: BLESSED_WITH_WARNING
    on_no_baseline: CANNOT_TELL_CHANGE
    minimum_records { members: 1000 nonmembers: 0 }
    minimum_slice_records { members: 20 nonmembers: 10 }
    required_controls: [BLIND_BASELINE, DUPLICATES]
    required_attacks: ["loss_threshold", "network"]
"""


def test_signals_of_slicing_specs_are_kept_once_each_and_checked() -> None:
    spec = "slicing_specs { signals: [CORRECTNESS, CLASS, CLASS] }"
    text = 'thresholds { metric { name: "auc" } upper_limit: 0.6 %s }'
    (found,) = resolve_thresholds(_thresholds(text % spec)).thresholds
    assert list(found.slicing_specs[0].signals) == [config_pb2.CLASS, config_pb2.CORRECTNESS]
    with pytest.raises(ValueError, match="found signal 0 in a slicing spec, expected one of CLASS"):
        resolve_thresholds(
            _thresholds(text % "slicing_specs { signals: SIGNAL_SLICE_UNSPECIFIED }")
        )


def test_what_is_set_is_kept_and_resolving_again_changes_nothing() -> None:
    assert resolve_thresholds(_thresholds(FULL)) == _thresholds(FULL)


def test_one_side_of_the_smallest_slice_may_be_left_open() -> None:
    resolved = resolve_thresholds(_thresholds("minimum_slice_records { members: 50 }"))
    assert resolved.minimum_slice_records.members == 50
    assert resolved.minimum_slice_records.nonmembers == 100


def test_limits_of_the_whole() -> None:
    # Absolute MUST_PASS limits on the whole alone; the defaults' where there are none.
    assert whole_limits(resolve_thresholds(_thresholds(FULL))) == [(Auc(), 0.52)]
    only_change = _thresholds('thresholds { metric { name: "auc" } change_limit: 0.02 }')
    assert whole_limits(resolve_thresholds(only_change)) == list(DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('thresholds { metric { name: "acc" } upper_limit: 0.6 }', "found name 'acc'"),
        ("thresholds { upper_limit: 0.6 }", "found name ''"),
        (
            'thresholds { metric { name: "auc" } }',
            "AUC: found no upper_limit and no change_limit, .* above 0.5",
        ),
        ('thresholds { metric { name: "auc" } upper_limit: 0 }', "found upper_limit 0, "),
        ('thresholds { metric { name: "auc" } upper_limit: -0.1 }', "found upper_limit -0.1"),
        ('thresholds { metric { name: "auc" } upper_limit: 0.5 }', "found upper_limit 0.5"),
        ('thresholds { metric { name: "auc" } upper_limit: 1 }', "found upper_limit 1, "),
        ('thresholds { metric { name: "auc" } upper_limit: nan }', "found upper_limit nan"),
        (
            'thresholds { metric { name: "tpr_at_fpr" fpr: 0.1 } upper_limit: 0.1 }',
            "TPR at 10% FPR: found upper_limit 0.1, expected a number above 0.1",
        ),
        (
            'thresholds { metric { name: "precision" prior: 0.1 } upper_limit: 0.05 }',
            "precision at prior 10%: found upper_limit 0.05, expected a number above 0.1",
        ),
        (
            """
            thresholds { metric { name: "auc" } upper_limit: 0.6 }
            thresholds { metric { name: "auc" } upper_limit: 0.7 role: MUST_PASS }
            """,
            "AUC: found two of role MUST_PASS and scope WHOLE, with upper_limit 0.6 and 0.7",
        ),
        (
            """
            thresholds { metric { name: "auc" } change_limit: 0.01 }
            thresholds { metric { name: "auc" } change_limit: 0.02 }
            """,
            "with change_limit 0.01 and 0.02",
        ),
        (
            """
            thresholds {
              metric { name: "auc" } upper_limit: 0.6 slicing_specs { feature_keys: ["a", "b"] }
            }
            thresholds {
              metric { name: "auc" } upper_limit: 0.7 slicing_specs { feature_keys: ["b", "a"] }
            }
            """,
            "found two of role BLOCK_ONLY and scope EVERY_SLICE",
        ),
        # --- epsilon
        ('thresholds { metric { name: "epsilon" } upper_limit: 0 }', "found upper_limit 0, .* fin"),
        ('thresholds { metric { name: "epsilon" } upper_limit: -1 }', "found upper_limit -1"),
        ('thresholds { metric { name: "epsilon" } upper_limit: inf }', "found upper_limit inf"),
        ('thresholds { metric { name: "epsilon" } upper_limit: nan }', "found upper_limit nan"),
        (
            'thresholds { metric { name: "epsilon" } upper_limit: 1 role: MUST_PASS }',
            "epsilon: found role MUST_PASS, expected BLOCK_ONLY: .* none can show that",
        ),
        (
            """thresholds {
                metric { name: "canary_epsilon" delta: 0 } upper_limit: 1 role: MUST_PASS }""",
            "canary epsilon: found role MUST_PASS",
        ),
        ('thresholds { metric { name: "canary_epsilon" } upper_limit: 1 }', "found no delta"),
        ('thresholds { metric { name: "epsilon" } change_limit: 0.1 }', "known from below alone"),
        # --- the change
        ('thresholds { metric { name: "auc" } change_limit: 0 }', "found change_limit 0, "),
        ('thresholds { metric { name: "auc" } change_limit: -0.1 }', "found change_limit -0.1"),
        ('thresholds { metric { name: "auc" } change_limit: 1 }', "found change_limit 1, "),
        ('thresholds { metric { name: "auc" } change_limit: nan }', "found change_limit nan"),
        (
            'thresholds { metric { name: "auc" } change_limit: 0.1 scope: EVERY_SLICE }',
            "found change_limit 0.1 for slices, expected one for the whole alone",
        ),
        (
            'thresholds { metric { name: "auc" } change_limit: 0.1 upper_limit: 0.6 }',
            "found upper_limit 0.6 and change_limit 0.1, expected one of them",
        ),
        # --- slices
        (
            """thresholds {
                metric { name: "auc" } upper_limit: 0.6 scope: WHOLE
                slicing_specs { feature_keys: "a" } }""",
            "found scope WHOLE and slicing_specs",
        ),
        (
            'thresholds { metric { name: "auc" } upper_limit: 0.6 slicing_specs {} }',
            "found an empty slicing spec, which stands for the whole",
        ),
        (
            """thresholds {
                metric { name: "auc" } upper_limit: 0.6
                slicing_specs { feature_keys: "a" feature_values { key: "a" value: "1" } } }""",
            "found a in both feature_keys and feature_values",
        ),
        (
            "minimum_slice_records { members: 1 }",
            "minimum_slice_records: found 1 members, expected",
        ),
        ("minimum_slice_records { nonmembers: -5 }", "found -5 nonmembers, expected 2 or more"),
        # --- policies
        ("minimum_records { members: -1 }", "minimum_records: found -1 members, expected 0"),
        ("minimum_records { nonmembers: -1 }", "minimum_records: found -1 nonmembers"),
        ("required_controls: CONTROL_UNSPECIFIED", "required_controls: found 0, expected some of"),
        (
            "required_controls: [DUPLICATES, DUPLICATES]",
            "required_controls: found DUPLICATES twice",
        ),
        ('required_attacks: ""', "required_attacks: found an empty name"),
        ('required_attacks: ["a", "a"]', "required_attacks: found 'a' twice"),
    ],
)
def test_wrong_thresholds_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_thresholds(_thresholds(text))


def test_numbers_that_are_no_value_of_an_enum_are_named() -> None:
    # JSON takes any number for an enum.
    for text, message in (
        ('{"thresholds": [{"metric": {"name": "auc"}, "upperLimit": 0.6, "role": 9}]}', "role 9"),
        ('{"thresholds": [{"metric": {"name": "auc"}, "upperLimit": 0.6, "scope": 9}]}', "scope 9"),
        ('{"onCannotTell": 9}', "on_cannot_tell: found 9"),
        ('{"onNoBaseline": 9}', "on_no_baseline: found 9"),
        ('{"requiredControls": [9]}', "required_controls: found 9"),
    ):
        given = json_format.Parse(text, thresholds_pb2.PrivacyThresholds())
        with pytest.raises(ValueError, match=message):
            resolve_thresholds(given)
