"""The page: what it says, that it is sound HTML, and that it obeys nothing that came from data."""

from __future__ import annotations

import dataclasses
import html
import html.parser
import itertools
import re

import pytest

from tfx_privacy.attacks.registry import resolve_attacks
from tfx_privacy.metrics.counts import Evidence
from tfx_privacy.proto import privacy_config_pb2 as config_pb2
from tfx_privacy.proto import privacy_results_pb2 as results_pb2
from tfx_privacy.proto import privacy_thresholds_pb2 as thresholds_pb2
from tfx_privacy.proto import privacy_verdict_pb2 as verdict_pb2
from tfx_privacy.reports.page import metrics_page, verdict_page
from tfx_privacy.verdict.baseline import Baseline
from tfx_privacy.verdict.judge import judge

AUC = config_pb2.MetricSpec(name="auc")
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_VOID = {"meta", "br", "hr", "img", "link", "input"}


@dataclasses.dataclass(frozen=True)
class Element:
    tag: str
    attributes: dict[str, str | None]


class Parsed(html.parser.HTMLParser):
    """A page taken apart; fails on tags that do not match."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.text = ""
        self.headings: list[tuple[int, str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append(Element(tag, dict(attrs)))
        self._separate(tag)
        if tag not in _VOID:
            self._open.append(tag)
        if tag in _HEADINGS:
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag
        self._separate(tag)

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if _HEADINGS & set(self._open):
            level, title = self.headings[-1]
            self.headings[-1] = (level, title + data)

    def _separate(self, tag):
        if tag not in ("bdi", "strong"):
            self.text += " "

    def all(self, tag):
        return [element for element in self.elements if element.tag == tag]

    @property
    def words(self):
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def leaky_page(leaky):
    return metrics_page(leaky.results, leaky.evidence)


@pytest.fixture(scope="module")
def leaky_verdict(leaky):
    return judge(leaky.results, leaky.evidence, thresholds_pb2.PrivacyThresholds())


@pytest.fixture(scope="module")
def blocked_page(leaky, leaky_verdict):
    return verdict_page(leaky_verdict, leaky.results, leaky.evidence)


def test_sections_come_in_the_order_that_readers_need(leaky_page):
    assert [title for level, title in Parsed(leaky_page).headings if level <= 2] == [
        "Privacy report: membership inference",
        "What was found",
        "Can these numbers be trusted?",
        "What was measured",
        "Attacks",
        "ROC: recognised against falsely accused",
        "Scores of members and non-members",
        "Slices",
        "What to do next",
        "Glossary",
        "How it was made",
    ]


def test_the_page_of_the_metrics_opens_with_the_finding_and_gives_no_verdict(leaky_page):
    words = Parsed(leaky_page).words
    found = words.index("An attacker who sees the model's outputs recognises")
    assert found < words.index("What was measured")
    for verdict in ("BLOCK", "PASS", "CANNOT TELL", "blessed"):
        assert verdict not in words


def test_the_gates_page_puts_verdict_and_thresholds_above(blocked_page, leaky_verdict):
    parsed = Parsed(blocked_page)
    titles = [title.strip() for level, title in parsed.headings if level == 2]
    assert titles[:5] == [
        "BLOCK",
        "Limits and what was found",
        "Controls and what came of them",
        "Slices and what was found",
        "What was found",
    ]
    words = parsed.words
    assert "An attack exceeds a limit." in words
    assert "Not blessed: the model is not to be pushed." in words
    for finding in leaky_verdict.findings:
        assert (finding.reason in words) == (finding.outcome == verdict_pb2.BLOCK)
    assert "at most 0.55" in words
    assert "at most 2%" in words


@pytest.mark.parametrize("sentence", [
    "Of one third of the records it is told which are members, and it builds its attacks on these "
    "(FIT); it is judged on others (JUDGE).",
    "Model /pipelines/taxi/Trainer/model/6",
    "Logits what enters the Sigmoid that the output comes from",
    "Members split train Non-members split eval",
    "Read 10,492 5,200",
    "Duplicates, left out their content or key occurs more than once 172 85",
    "JUDGE every interval in this report comes from these 6,880 3,410",
    "per_label_entropy: needs more than two classes, found two",
    "modified_entropy best on FIT",
    "Best of all attacks bounds corrected for having tried 7",
    "Blind baseline: can the splits be told apart without the model?",
    "It saw 12 features.",
    "trip_start_month 0.687 company 0.531",
    "Negative control: do the attacks find what is not there?",
    "Attack 5% planted 10% planted 20% planted 40% planted",
    "It shows that the machinery works, not that the attacks are strong.",
    "AUC: this run would have found 0.5",
    "Any (epsilon, delta = 0) guarantee of this training would need epsilon >= ",
    "This is no upper limit. So many records could show at most ",
    "Negative control The attacks where there is nothing to find: non-members halved by chance.",
    "TPR at 0.1% FPR Share of training records recognised when 0.1% of others are falsely accused; "
    "0.1% is no better than chance.",
    "Stop training earlier.",
    "Train with differential privacy (DP-SGD).",
    "What this result does not show",
    "38 s: observe 21 s, fit 6.2 s, score 9.9 s, evidence 0.3 s",
    'signature_name: "serving_default"',
])  # fmt: skip
def test_what_the_page_says(leaky_page, sentence):
    assert sentence in Parsed(leaky_page).words


def test_slices_are_sorted_by_risk_and_small_ones_never_called_safe(leaky_page):
    words = Parsed(leaky_page).words
    order = [
        words.index(f"payment_type = {value}") for value in ("No Charge", "Credit Card", "Cash")
    ]
    assert order == sorted(order)
    assert (
        "2 slices have fewer than 200 members or 100 non-members in the splits. Nothing can be "
        "said about them; least of all that they are safe." in words
    )
    assert "payment_type = Dispute too small to judge 63 42 judged 28 19 judged" in words
    assert words.index("Too small to judge") < words.index("payment_type = Dispute")


def test_slices_above_chance_by_luck_are_foretold(leaky_page):
    said = "where nothing leaks about 2.5% of slices still have theirs above chance."
    assert said in Parsed(leaky_page).words


def test_the_plots_have_their_data_as_tables(leaky_page, leaky):
    parsed = Parsed(leaky_page)
    labels = [
        svg.attributes["aria-label"] for svg in parsed.all("svg") if "aria-label" in svg.attributes
    ]
    assert len(labels) == 3
    area = leaky.results.attacks[3].metrics[0].value.estimate
    assert f"modified_entropy {area:.3f}" in labels[0]
    assert "The data is in the table below." in labels[2]
    rates = "Attack FPR 0.1% FPR 1% FPR 5% FPR 10% FPR 20% FPR 50%"
    assert f"{rates} loss_threshold " in parsed.words
    assert "Score Members Share Non-members Share below " in parsed.words


def test_attacks_are_described_in_the_words_of_the_registry(leaky):
    known = resolve_attacks(["standard"])[0]
    results = results_pb2.PrivacyResults()
    results.CopyFrom(leaky.results)
    results.attacks[0].name = known.name
    assert known.description in Parsed(metrics_page(results, Evidence({}, {}))).words


@pytest.fixture(params=["metrics", "verdict"])
def any_page(request, leaky_page, blocked_page):
    return leaky_page if request.param == "metrics" else blocked_page


def test_tags_match_and_ids_are_unique(any_page):
    ids = [
        element.attributes["id"]
        for element in Parsed(any_page).elements
        if "id" in element.attributes
    ]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(any_page):
    parsed = Parsed(any_page)
    ids = {element.attributes.get("id") for element in parsed.elements}
    used = {element.attributes.get("aria-labelledby") for element in parsed.elements} - {None}
    used |= {
        value[1:]
        for element in parsed.elements
        for name, value in element.attributes.items()
        if name in ("href", "xlink:href") and value
    }
    used |= set(re.findall(r"url\(#([^)]*)\)", any_page))
    assert used <= ids


def test_headings_do_not_skip_a_level(any_page):
    levels = [level for level, _ in Parsed(any_page).headings]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_tables_and_figures_can_be_heard(any_page):
    parsed = Parsed(any_page)
    assert all(cell.attributes.get("scope") in ("col", "row") for cell in parsed.all("th"))
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    assert len(parsed.all("figcaption")) == len(parsed.all("figure"))
    for svg in parsed.all("svg"):
        labelled = svg.attributes.get("role") == "img" and svg.attributes.get("aria-label")
        assert labelled or svg.attributes.get("aria-hidden") == "true"
    for box in parsed.elements:
        if box.tag == "div" and "scroll" in (box.attributes.get("class") or "").split():
            assert box.attributes["tabindex"] == "0"
            assert box.attributes["role"] == "region"
            assert box.attributes.get("aria-label") or box.attributes.get("aria-labelledby")


def test_nothing_is_loaded_run_or_linked(any_page):
    parsed = Parsed(any_page)
    assert not {"script", "link", "img", "iframe", "a", "object", "embed", "form"} & {
        element.tag for element in parsed.elements
    }
    assert not re.search(r"https?://|@import|url\((?!#)", any_page)
    assert not [name for e in parsed.elements for name in e.attributes if name.startswith("on")]


def test_the_same_input_gives_the_same_bytes(leaky, leaky_verdict, blocked_page):
    assert verdict_page(leaky_verdict, leaky.results, leaky.evidence) == blocked_page


def test_a_page_is_small(any_page):
    assert len(any_page.encode()) < 300_000


HOSTILE = [
    "<script>alert(1)</script>",
    "\"quoted\" & 'single' <b>bold</b>",
    "</td></table></style><img src=x onerror=alert(1)>",
    "\u202eoverridden\u202c \u200fשלום",
    "{{ 7 * 7 }} {% raw %} $\\frac{1}{2}$",
    "x" * 10_000,
    "\x00\x1b[31m",
]


@pytest.fixture(scope="module")
def hostile_page(tame):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(tame.results)
    del results.slices[:]
    value = results_pb2.MeasuredValue(estimate=0.6, lower=0.55, upper=0.65, confidence=0.95)
    for text in HOSTILE:
        entry = results.slices.add(
            key=[results_pb2.SliceKey(feature=text, value=text)],
            judge=results_pb2.SideCounts(members=500, nonmembers=300),
            rows=results_pb2.SideCounts(members=750, nonmembers=450),
        )
        attack = entry.attacks.add(name=results.best_attack)
        attack.metrics.add(metric=AUC).value.CopyFrom(value)
        results.skipped_attacks.add(name=text, reason=text)
        results.config.model_spec.label_vocabulary.append(text)
    for field in ("uri", "signature_name", "output_name", "logits_source", "identity"):
        setattr(results.model, field, HOSTILE[0] + HOSTILE[1])
    results.package_version = HOSTILE[0]
    results.stages.add(stage=HOSTILE[0], seconds=1)
    renamed = {name: f"{name}{HOSTILE[0]}" for name in tame.evidence.edges}
    for attack in results.attacks:
        attack.name = renamed[attack.name]
    results.best_attack = renamed[results.best_attack]
    for entry in results.slices:
        entry.attacks[0].name = results.best_attack
    evidence = Evidence(
        {renamed[name]: edges for name, edges in tame.evidence.edges.items()},
        {(renamed[name], key): counts for (name, key), counts in tame.evidence.counts.items()},
    )
    verdict = verdict_pb2.PrivacyVerdict(outcome=verdict_pb2.BLOCK, reasons=HOSTILE)
    finding = verdict.findings.add(attack=HOSTILE[0], reason=HOSTILE[2], outcome=verdict_pb2.BLOCK)
    finding.threshold.metric.CopyFrom(AUC)
    finding.value.CopyFrom(value)
    for text in HOSTILE:
        results.controls.blind_baseline.features.add(feature=text, auc=0.6)
        results.controls.negative.attacks.add(name=text)
        verdict.controls.add(reason=text, outcome=verdict_pb2.CONTROL_FAILED)
        of_slice = verdict.slice_findings.add(outcome=verdict_pb2.BLOCK, attack=text)
        of_slice.threshold.CopyFrom(finding.threshold)
        of_slice.slice.add(feature=text, value=text)
    verdict.baseline.metrics_uri = HOSTILE[0]
    verdict.baseline.model_uri = HOSTILE[5]
    verdict.thresholds.required_attacks.append(HOSTILE[2])
    return verdict_page(verdict, results, evidence)


def test_what_came_from_data_is_text_everywhere(hostile_page):
    parsed = Parsed(hostile_page)
    assert not {"script", "b", "img"} & {element.tag for element in parsed.elements}
    assert len(parsed.all("style")) == 1
    assert parsed.text.count("<script>alert(1)</script>") >= 15
    assert "{{ 7 * 7 }}" in parsed.text
    labels = [svg.attributes.get("aria-label") or "" for svg in parsed.all("svg")]
    assert sum("<script>alert(1)</script>" in label for label in labels) == 3


def test_no_character_of_data_is_obeyed(hostile_page):
    assert not set(hostile_page) & set("\x00\x1b\u202e\u202c")
    assert "�overridden� \u200fשלום" in hostile_page


def test_a_long_name_is_shortened_with_its_full_text_at_hand(hostile_page):
    assert "x" * 60 + "…" + "x" * 12 + "</bdi></summary>" in hostile_page
    assert f'<bdi class="full">{"x" * 10_000}</bdi>' in hostile_page


def test_direction_of_names_is_isolated(hostile_page):
    for text in HOSTILE[:2]:
        assert (
            f"<bdi>{html.escape(text, quote=True)}</bdi>".replace("&quot;", "&#34;").replace(
                "&#x27;", "&#39;"
            )
            in hostile_page
        )


def test_two_thousand_slices_stay_usable(leaky):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(leaky.results)
    del results.slices[:]
    for index in range(2_000):
        value = results_pb2.MeasuredValue(
            estimate=0.5 + index / 10_000, lower=0.45, upper=0.75, confidence=0.95
        )
        entry = results.slices.add(
            key=[
                results_pb2.SliceKey(feature="hour", value=str(index)),
                results_pb2.SliceKey(feature="name", value="<" * 10_000),
            ],
            judge=results_pb2.SideCounts(members=500, nonmembers=300),
            rows=results_pb2.SideCounts(members=750, nonmembers=450),
        )
        attack = entry.attacks.add(name=results.best_attack)
        attack.metrics.add(metric=AUC).value.CopyFrom(value)
    page = metrics_page(results, leaky.evidence)
    assert len(page.encode()) < 5_000_000
    words = Parsed(page).words
    assert "hour = 1999" in words
    more = re.search(r"([\d,]+) more slices, less risky than these, are in metrics.json", words)
    assert int(more[1].replace(",", "")) == 2_000 - page.count("hour</bdi>")


def test_without_an_attack_the_rest_is_shown():
    results = results_pb2.PrivacyResults(package_version="0.1.0")
    results.skipped_attacks.add(name="loss", reason="needs loss, which the signals do not have")
    parsed = Parsed(metrics_page(results, Evidence({}, {})))
    assert (
        "No attack could run, so nothing is known about what the model gives away." in parsed.words
    )
    assert "loss: needs loss, which the signals do not have" in parsed.words
    assert "Duplicates not checked" in parsed.words
    assert "Make an attack possible." in parsed.words


def test_without_counts_the_numbers_are_shown_and_no_plots(leaky):
    parsed = Parsed(metrics_page(leaky.results, Evidence({}, {})))
    assert "ROC: recognised against falsely accused" not in parsed.text
    assert "Best of all attacks" in parsed.text
    assert "payment_type = No Charge" in parsed.words


def test_where_the_splits_differ_the_page_says_so_first(drifted):
    parsed = Parsed(metrics_page(drifted.results, drifted.evidence))
    words = parsed.words
    said = words.index("The splits differ, so the numbers of this report cannot be trusted")
    assert said < words.index("Taken at its face value") < words.index("Can these numbers")
    assert "failed An attacker that sees the input features alone" in words
    assert "Make the splits at random from one population." in words
    for claim in ("An attacker who sees the model's outputs recognises", "guarantee of this"):
        assert claim not in words
    assert "above chance (" not in words


def test_the_gates_page_where_the_splits_differ(drifted):
    verdict = judge(drifted.results, drifted.evidence, thresholds_pb2.PrivacyThresholds())
    words = Parsed(verdict_page(verdict, drifted.results, drifted.evidence)).words
    assert "CANNOT TELL The measurement itself cannot be trusted: a control failed." in words
    assert "None of these findings counts, because a control failed." in words
    assert "Blind baseline failed An attacker that sees the input features alone" in words


def test_a_block_by_one_slice_names_it_in_banner_and_table(make):
    slices = {
        (("age", "4"),): (1_610, 790, 0.8),
        (("age", "5"),): (8_300, 4_640, 0.0),
        (("age", "6"),): (40, 20, 0.0),
    }
    strengths = {"loss_threshold": 1.0, "entropy": 0.6}
    run = make(
        leak=0.0, members=20_000, nonmembers=10_000, slices=slices, strengths=strengths, seed=3
    )
    verdict = judge(run.results, run.evidence, thresholds_pb2.PrivacyThresholds())
    assert verdict.outcome == verdict_pb2.BLOCK
    words = Parsed(verdict_page(verdict, run.results, run.evidence)).words
    assert words.index("BLOCK: in slice age=4") < words.index("Limits and what was found")
    assert "2 slices judged: 1 above a limit." in words
    assert "1 slice too small to judge: nothing can be said about it" in words
    table = words[words.index("Blocked slices first") :]
    assert table.index("age = 4") < table.index("age = 5") < table.index("age = 6")
    assert "Fewest records of a slice 200 members, 100 non-members" in words


def test_a_block_by_change_names_the_baseline(make):
    strengths = {"loss_threshold": 1.0}
    sizes = {"members": 20_000, "nonmembers": 10_000, "strengths": strengths}
    before = make(leak=0.0, seed=5, **sizes)
    before.results.model.uri = "/pipelines/taxi/Trainer/model/3"
    after = make(leak=0.2, seed=6, **sizes)
    thresholds = thresholds_pb2.PrivacyThresholds()
    thresholds.thresholds.add(metric=AUC, change_limit=0.02)
    baseline = Baseline("/pipelines/taxi/metrics/4", before.results, before.evidence)
    verdict = judge(after.results, after.evidence, thresholds, baseline=baseline)
    assert verdict.outcome == verdict_pb2.BLOCK
    words = Parsed(verdict_page(verdict, after.results, after.evidence)).words
    assert "rise of at most 0.02" in words
    value = before.results.attacks[0].metrics[0].value
    assert f"baseline: {value.estimate:.3f} ({value.lower:.3f} to {value.upper:.3f})" in words
    assert "Baseline's metrics /pipelines/taxi/metrics/4" in words
    assert "Baseline's model /pipelines/taxi/Trainer/model/3" in words
    assert "Compared unpaired" in words


def test_no_page_shows_an_infinite_number(any_page, drifted):
    for page in (any_page, metrics_page(drifted.results, drifted.evidence)):
        assert not re.search(r"\binf\b|\bnan\b|(?:to|>=) not known", Parsed(page).words)


def test_a_pass_and_an_undecided_verdict(tame, undecidable):
    limits = thresholds_pb2.PrivacyThresholds()
    for run, outcome, said in (
        (tame, "PASS", "Blessed: the model may be pushed."),
        (undecidable, "CANNOT TELL", "Not blessed: the model is not to be pushed."),
    ):
        page = verdict_page(judge(run.results, run.evidence, limits), run.results, run.evidence)
        assert f"<title>{outcome}: privacy report</title>" in page
        assert said in page
        assert "This does not show that the model is safe" in page


def test_a_blind_baseline_that_did_not_run_says_why_and_what_to_do(tame):
    results = results_pb2.PrivacyResults()
    results.CopyFrom(tame.results)
    results.controls.blind_baseline.Clear()
    results.controls.blind_baseline.not_run = "The signals hold no inputs."
    words = Parsed(metrics_page(results, tame.evidence)).words
    trust = words[words.index("Can these numbers be trusted?") :]
    assert re.search(r"without the model\? not run .*The signals hold no inputs", trust[:600])
    assert "What the blind baseline reached" not in words
    assert "Let the blind baseline run." in words
