"""The bundled classifier tells kind and relevance, explains itself, is small, and needs only the standard library."""

import json
import re
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

import producer
from chalicelib.classifier import bundled
from chalicelib.classifier.information import TYPES
from chalicelib.classifier.taxonomy import CODES
from chalicelib.classifier.text import clean
from tests.support import ROOT

SAMPLE = ROOT / "data" / "sample_tweets.csv"


def told(text: str) -> str:
    return bundled.classify([clean(text)])[0].label


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Just happened a terrible car crash", "transport_accident"),
        ("Heard about #earthquake is different cities, stay safe everyone.", "earthquake"),
        (
            "there is a forest fire at spot pond, geese are fleeing across the street, I cannot save them all",
            "wildfire",
        ),
        ("Apocalypse lighting. #Spokane #wildfires", "wildfire"),
        ("Typhoon Soudelor kills 28 in China and Taiwan", "storm"),
        ("We're shaking...It's an earthquake", "earthquake"),
        ("13,000 people receive #wildfires evacuation orders in California", "wildfire"),
        ("Forest fire near La Ronge Sask. Canada", "wildfire"),
        ("Our Deeds are the Reason of this #earthquake May ALLAH Forgive us all", "earthquake"),
    ],
)
def test_the_tweets_of_the_original_screenshot_are_told_sensibly(text: str, kind: str) -> None:
    [prediction] = bundled.classify([clean(text)])
    assert (prediction.label, prediction.relevant >= 0.5) == (kind, True)
    assert prediction.score > 0.5


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Fuerte sismo de 6 grados sacude la ciudad", "earthquake"),
        ("Inundaciones dejan 300 damnificados", "flood"),
        ("Enchente deixa centenas de desabrigados", "flood"),
        ("Alluvione, strade chiuse e 40 evacuati", "flood"),
        ("Tremblement de terre ressenti dans toute la région", "earthquake"),
        ("Incendio forestal fuera de control", "wildfire"),
        ("Pasażerowie: train derailed near the station, dozens hurt", "transport_accident"),
        ("Gunman opened fire in the mall", "attack"),
    ],
)
def test_kinds_are_told_in_several_languages(text: str, kind: str) -> None:
    assert told(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "My boss will fire me if I am late again",
        "I got a flood of emails this morning",
        "I totally bombed the exam lol",
        "Miami Heat won again",
        "The crowd was on fire tonight",
        "A storm of criticism for the new album",
        "I love fruits",
        "",
    ],
)
def test_figures_of_speech_and_small_talk_are_no_disaster(text: str) -> None:
    [prediction] = bundled.classify([clean(text)])
    assert prediction.label == "not_disaster"
    assert prediction.keywords == ()


def test_words_in_a_figure_of_speech_do_not_speak_for_relevance() -> None:
    figure, fact = bundled.classify(["a flood of emails this morning", "a flood this morning"])
    assert figure.relevant < 0.2 < 0.6 < fact.relevant
    assert (figure.label, fact.label) == ("not_disaster", "flood")


def test_keywords_carry_the_label_with_three_words_of_context_either_side() -> None:
    [prediction] = bundled.classify(["Thousands flee as the wildfire jumps the highway north of town"])
    [keyword] = prediction.keywords
    assert list(keyword.values()) == ["flee as the", "wildfire", "jumps the highway", "wildfire"]


def test_a_hashtag_made_of_words_is_understood() -> None:
    assert told("Stay safe everyone #abflood") == "flood"


@given(st.lists(st.text(), max_size=5))
def test_any_text_is_answered_with_a_known_label_and_probabilities(texts: list[str]) -> None:
    predictions = bundled.classify(texts)
    assert len(predictions) == len(texts)
    for prediction in predictions:
        assert prediction.label in CODES
        assert 0 <= prediction.score <= 1
        assert 0 <= prediction.relevant <= 1
        assert all(keyword["theme"] in CODES for keyword in prediction.keywords)


def test_the_answer_does_not_depend_on_the_other_texts() -> None:
    texts = ["Flood in the valley", "Nice weather", "zzyzx qwertz", "Earthquake"]
    assert bundled.classify(texts) == [bundled.classify([text])[0] for text in texts]


def test_the_model_fits_in_a_megabyte_and_names_its_scores() -> None:
    assert bundled.MODEL.stat().st_size <= 1_000_000
    assert {"accuracy", "precision", "recall", "f1_micro", "f1_macro", "relevance_f1", "relevance_auc"} <= set(
        bundled.metrics()
    )


def test_a_file_that_is_no_model_is_refused() -> None:
    content = bundled.MODEL.read_bytes()
    with pytest.raises(ValueError, match="not a model file"):
        bundled.Model(content[:-1])


def test_it_needs_only_the_standard_library() -> None:
    code = "from chalicelib.classifier import bundled; print(bundled.classify(['flood'])[0].label)"
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "flood"


def test_a_word_as_long_as_a_whole_post_is_read_like_any_other() -> None:
    [prediction] = bundled.classify(["x" * 25_000 + "flood" + "x" * 25_000 + " earthquake"])
    assert prediction.label == "earthquake"


def test_what_it_remembers_of_words_can_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Flood waters rise", "a wildfire, and no flood", "my mixtape is fire"]
    before = bundled.classify(texts)
    monkeypatch.setattr(bundled, "MOST_REMEMBERED", -1)
    assert bundled.classify(texts) == before


def test_what_it_remembers_of_words_is_bounded_by_bytes() -> None:
    model = bundled._model()
    tracemalloc.start()
    try:
        for n in range(1_000):
            model.classify([f"flood{n}" + "x" * 65_000])
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        model._rows.forget()
    assert taken < 1.1 * bundled.MOST_REMEMBERED < 65_000 * 1_000


def test_the_same_terms_in_many_words_are_remembered_once() -> None:
    lexicon = bundled._model().lexicon
    assert lexicon._look_up("firestormxyz") is lexicon._look_up("firestormxyzz") is not None


def test_a_post_that_repeats_a_keyword_has_twenty_of_them() -> None:
    [prediction] = bundled.classify(["flood " * 10_000])
    assert len(prediction.keywords) == bundled.MOST_KEYWORDS == 20


def test_another_model_has_another_name() -> None:
    content = bundled.MODEL.read_bytes()
    assert re.fullmatch(r"bundled-2-[0-9a-f]{8}", bundled.version())
    assert bundled.version_of(content) == bundled.version() != bundled.version_of(content + b" ")
    assert bundled.resolve("bundled") == bundled.version()
    assert bundled.resolve("mine") == "mine"


def sample() -> list[str]:
    return [clean(text) for line in producer.read(SAMPLE) if (text := json.loads(line).get("text"))]


def test_every_kind_that_is_told_comes_with_a_word_that_gave_it() -> None:
    texts = sample()
    texts += [
        "The ground was shaking, we all felt it, USGS says it was close",
        "Rains: the river rises, rescuers trapped",
    ]
    told = [p for p in bundled.classify(texts, 0.5) if p.label not in ("unspecified", "not_disaster")]
    assert len(told) > 50
    for prediction in told:
        assert prediction.label in {keyword["theme"] for keyword in prediction.keywords}


def test_the_score_of_a_kind_is_no_more_probable_than_that_there_is_a_disaster() -> None:
    texts = sample()
    told = [p for p in bundled.classify(texts) if p.label not in ("unspecified", "not_disaster")]
    assert all(0 < prediction.score < prediction.relevant for prediction in told)
    assert len({round(prediction.score, 6) for prediction in told}) > 0.8 * len({p.keywords[0]["prefix"] for p in told})


@pytest.mark.parametrize(
    "text",
    [
        "Convalido mis 3 años de derecho",
        "Espero que sea algo temporal y se arregle pronto",
        "Una senhora cheia de vontade de viver",
        "Dans les mers se joue l'avenir des océans",
        "Vamos a la discoteca esta noche",
        "Kostenexplosion bei der Miete",
        "Le canzoni riadattate sono uno spettacolo",
        "Colorado Avalanche win again",
        "The refugees debate is all politics",
        "Another England batting collapse, a cricket disaster",
        "She's a hurricane on the dance floor",
        "A population explosion of rabbits",
        "Ied Mubarak to all my friends",
        "Judge Sebastian Richter joins the court",
    ],
)
def test_words_that_only_look_like_a_hazard_tell_no_kind(text: str) -> None:
    assert told(text) == "not_disaster"


@pytest.mark.parametrize("place", ["Boston", "Colorado", "Washington", "San Francisco", "New York City"])
def test_a_place_does_not_make_a_post_relevant(place: str) -> None:
    [prediction] = bundled.classify([f"Having lunch in {place} with my friends"])
    assert prediction.relevant < 0.1


@pytest.mark.parametrize("text", ["La meteorologia non è colpa del governo", "Les météorologues prévoient du soleil"])
def test_a_meteorologist_is_no_meteorite(text: str) -> None:
    assert told(text) != "meteorite"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Earthquake in Chile: 12 dead, 340 injured, dozens missing", "affected_individuals"),
        ("Terremoto: suben a 98 los muertos y 16.500 damnificados", "affected_individuals"),
        ("Flood warning issued, avoid the river tonight, stay indoors", "caution_and_advice"),
        ("Alerta de tsunami tras el sismo, evite la costa", "caution_and_advice"),
        ("Donate to the Red Cross for the flood victims, volunteers and blankets needed", "donations_and_volunteering"),
        ("Doacoes para as vitimas da enchente: precisamos de agua e cobertores", "donations_and_volunteering"),
        ("Praying for everyone in the earthquake, our hearts are with you", "sympathy_and_support"),
        ("Una preghiera per le famiglie delle vittime del terremoto", "sympathy_and_support"),
        ("Floods: power outage in the city, bridges and roads closed", "infrastructure_and_utilities"),
    ],
)
def test_a_relevant_post_says_what_it_tells(text: str, kind: str) -> None:
    [prediction] = bundled.classify([clean(text)])
    assert prediction.information
    assert prediction.information[0] == kind
    assert 1 / len(TYPES) < prediction.information[1] <= 1
    assert prediction.information == bundled.information(clean(text))


def test_a_post_that_is_not_relevant_tells_nothing() -> None:
    [prediction] = bundled.classify(["lol my phone died again"])
    assert (prediction.relevant < 0.5, prediction.information) == (True, None)


@given(st.lists(st.text(st.characters(min_codepoint=48, max_codepoint=122), min_size=1, max_size=40), max_size=30))
def test_an_information_type_depends_on_the_words_alone_and_its_probability_is_one(words: list[str]) -> None:
    kind, probability = bundled.information(" ".join(words))
    assert bundled.information(" ".join(reversed(words))) == (kind, probability)
    assert 1 / len(TYPES) <= probability <= 1
