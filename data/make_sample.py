"""Write `sample_tweets.csv`: about 2,000 made-up tweets, in the columns and with all the dirt of the CrowdFlower set;
and `train.csv` and `test.csv`, made-up tweets with labels, in the form that Amazon Comprehend trains on.

    python data/make_sample.py

Nobody wrote these tweets and none of these events happened. The same seed writes the same file.
"""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

TWEETS = 2_000
SEED = 2015

HEADER = (
    "_unit_id,_golden,_unit_state,_trusted_judgments,_last_judgment_at,choose_one,choose_one:confidence,"
    "choose_one_gold,keyword,location,text,tweetid,userid"
).split(",")

PLACES = (
    "Lima, Valparaíso, Guayaquil, Medellín, Oaxaca, Tacoma, Bakersfield, Galveston, Biloxi, Duluth, Halifax, Reykjavík, Galway, Leeds, "
    "Porto, Málaga, Bologna, L'Aquila, Catania, Thessaloniki, İzmir, Beirut, Nairobi, Accra, Maputo, Durban, Karachi, Chennai, Dhaka, "
    "Cebu, Davao, Sendai, Padang, Brisbane, Christchurch, Nuku'alofa"
).split(", ")
ROADS = "Hwy 20, Route 9, the A38, the ring road, Main St, the old bridge, Exit 12, the coast road".split(", ")
LOCATIONS = (
    *PLACES,
    "",
    "",
    "",
    "",
    "somewhere over the rainbow",
    "Worldwide",
    "46.95,7.43",
    "?????? ??",
    "she/her",
    "earth",
    "127.0.0.1",
)

REAL = {
    "earthquake": (
        "Magnitude {m} earthquake strikes near {place}, {n} injured",
        "Whole building shook for a minute in {place}. Biggest quake I ever felt",
        "Aftershocks still rattling {place} after last night's #earthquake, people sleep in the parks",
        "We felt the tremor here in {place}, pictures fell off the wall #quake",
        "Fuerte sismo de {m} grados sacude {place}, se reportan {n} heridos",
        "Terremoto in provincia di {place}: crollate alcune case, {n} sfollati",
    ),
    "tsunami": ("Tsunami warning for the coast near {place} after the quake, move to higher ground NOW", "Alerta de #tsunami en {place}: evacúen la costa"),
    "volcano": ("Volcano near {place} erupts again, ash column {n} km high, airport closed", "Ash falling on {place} since dawn, the volcano is not done yet #eruption"),
    "landslide": ("Landslide buries {n} houses above {place} after days of rain", "Mudslide blocks {road} near {place}, two cars missing", "Deslizamiento de tierra en {place} deja {n} familias sin casa"),
    "flood": (
        "Flash flooding in {place}, water up to the windows on {road}",
        "River through {place} bursts its banks, {n} people evacuated #flood",
        "Our street in {place} is under water and it is still raining #floods",
        "Inundaciones en {place}: {n} damnificados y varias calles cortadas",
        "Enchente em {place} deixa {n} desabrigados",
        "Inondations à {place}, {n} personnes évacuées",
        "Alluvione a {place}, strade chiuse e {n} evacuati",
    ),
    "storm": (
        "Hurricane makes landfall east of {place} with winds of {n} mph",
        "Tornado touched down outside {place}, roofs gone on {road}",
        "Typhoon signal no. 3 raised over {place}, classes suspended",
        "Severe thunderstorm with large hail heading for {place} #storm",
        "Power out in half of {place} since the cyclone passed, {n} shelters open",
        "Temporal derruba árvores em {place}, {n} mil sem luz",
    ),
    "wildfire": (
        "Wildfire jumps {road} near {place}, {n} acres burned and zero containment",
        "Evacuation orders for the hills above {place} as the #wildfire spreads",
        "Smoke from the bush fires so thick in {place} we can't see across the road",
        "Incendio forestal fuera de control cerca de {place}",
    ),
    "drought": ("Third year of drought around {place}, reservoirs at {n} percent", "Sequía en {place}: el ganado muere de sed"),
    "heat_wave": ("Heat wave: {place} hits {n} degrees, hospitals full of heatstroke cases",),
    "cold_wave": ("Blizzard strands {n} drivers on {road} near {place}", "Ola de frío en {place}, abren albergues"),
    "epidemic": ("Cholera outbreak in {place}: {n} cases confirmed this week", "Dengue epidemic worsens in {place}, {n} new patients a day"),
    "fire": ("Warehouse fire in {place}, flames through the roof, {n} engines on scene", "Apartment building on fire on {road}, {place}. People on the balconies", "Incendio en un mercado de {place}, {n} locales destruidos"),
    "explosion": ("Huge explosion heard across {place}, windows shattered {n} blocks away", "Gas blast levels two homes in {place}, {n} hurt", "Explosión en una fábrica de {place}"),
    "transport_accident": (
        "Train derailed outside {place}, {n} injured, trauma centres on alert",
        "Bus plunges into ravine near {place}, at least {n} dead",
        "Just saw a terrible car crash on {road}, {place}. Hope they are ok",
        "Small plane crashes short of the runway at {place}",
        "Ferry with {n} aboard sinks off {place}",
        "Choque múltiple en {place} deja {n} heridos",
    ),
    "building_collapse": ("Factory building collapses in {place}, {n} feared under the rubble", "Derrumbe de un edificio en {place}, buscan a {n} personas"),
    "industrial_accident": ("Chemical spill at the plant in {place}, residents told to shelter in place", "Oil spill off {place} reaches the beaches, {n} km of coast black"),
    "haze": ("Haze over {place} again, air quality index at {n}, schools closed",),
    "attack": ("Suicide bomber kills {n} at a market in {place}", "Shooting reported at the mall in {place}, police say {n} wounded", "Atentado con coche bomba en {place}, {n} muertos"),
    "conflict": ("Air strikes hit {place} overnight, {n} civilians dead", "Shelling resumes near {place} despite the ceasefire"),
    "meteorite": ("Meteor explodes over {place}, shockwave breaks windows, {n} cut by glass",),
    "unspecified": ("Rescuers still searching in {place}, {n} missing", "State of emergency declared in {place}. Pray for everyone there", "Donate blood for the victims in {place}, Red Cross at {road}"),
}  # fmt: skip

UNREAL = {
    "fire": ("My boss is going to fire me if I'm late again", "This mixtape is straight fire", "{place} pizza place has fire wings, fight me"),
    "flood": ("A flood of emails after one day off, why", "Flooded with memories of {place} tonight"),
    "storm": ("Brainstorm session in {place} went well, {n} sticky notes", "She stormed out of the room and forgot her bag lol"),
    "attack": ("I totally bombed the exam today", "That guitar solo is a killer", "Photo bomb of the year in {place}"),
    "earthquake": ("The bass at that gig in {place} was an earthquake", "His goal shook the stadium, seismic stuff"),
    "explosion": ("My phone is exploding with notifications", "Flavour explosion in this mango from {place}"),
    "transport_accident": ("My laptop crashed for the {n}th time today", "This show is a train wreck and I love it", "Crashed on the sofa, good night {place}"),
    "heat_wave": ("Go Heat! {n} points in the third quarter",),
    "epidemic": ("This song is a virus, can't get it out of my head",),
    "landslide": ("They won the election in {place} by a landslide",),
    "volcano": ("I erupted laughing on {road}, everyone stared",),
    "drought": ("Goal drought is over for {place} FC!! {n} matches",),
    "": (
        "Coffee first, then {place}", "Can't believe it's only Tuesday", "New blog post: {n} tips for better sleep", "I love fruits",
        "Anyone in {place} who can lend me a drill?", "The sunset over {place} tonight, no filter", "Buenos días {place}!",
        "{n} pages to go and I will never read another Russian novel", "Wanna go see a film? No ads please", "What's up man?",
    ),
}  # fmt: skip

TAILS = ("", "", "", " http://t.co/{code}", " https://t.co/{code} via @{user}", " #{tag}", " #{tag} #news", " &amp; counting", " @{user}", " \u2026", "\u2014stay safe", " \U0001f64f", " It\u2019s bad.", " \u201cunreal\u201d")  # fmt: skip
TAGS = "breaking news help PrayForThem weather nowplaying stormchase VRAI socialnews rescate".split()


def fill(template: str, rng: random.Random) -> str:
    text = template.format(
        place=rng.choice(PLACES), road=rng.choice(ROADS), n=rng.randint(2, 240), m=f"{rng.uniform(4, 8):.1f}"
    )
    code = "".join(rng.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=10))
    return text + rng.choice(TAILS).format(
        code=code, user=f"{rng.choice(TAGS).lower()}_{rng.randint(1, 999)}", tag=rng.choice(TAGS)
    )


def mojibake(text: str) -> str:
    """UTF-8 taken for cp1252, as somebody's export did to the original set; what cp1252 lacks is lost."""
    return text.encode().decode("cp1252", "replace").replace("\ufffd", "?")


def soil(text: str, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.45 and not text.isascii():
        return mojibake(text)
    if chance < 0.05:
        return text.upper()
    if chance < 0.08:
        return f"RT @{rng.choice(TAGS).lower()}{rng.randint(1, 99)}: {text}"
    if chance < 0.10:
        return text.replace(" ", "\n", 1)
    if chance < 0.12:
        return f'"{text}"'
    return text


def lossy(digits: int, rng: random.Random) -> str:
    """Return a tweet id as a spreadsheet leaves it."""
    return f"{digits:.5E}" if rng.random() < 0.8 else ""


def tweets(rng: random.Random) -> list[list[str]]:
    drawn: list[tuple[str, str, bool]] = []
    kinds, figures = list(REAL), list(UNREAL)
    while len(drawn) < TWEETS:
        real = rng.random() < 0.45
        kind = (
            rng.choices(kinds, [len(REAL[k]) for k in kinds])[0]
            if real
            else rng.choices(figures, [len(UNREAL[k]) for k in figures])[0]
        )
        text = soil(fill(rng.choice((REAL if real else UNREAL)[kind]), rng), rng)
        drawn.append((kind, text, real))
        if real and rng.random() < 0.12:  # near-duplicates: the same news with another link, and whole copies
            drawn.append(
                (
                    kind,
                    text if rng.random() < 0.3 else f"{text.split(' http')[0]} http://t.co/{rng.getrandbits(40):x}",
                    real,
                )
            )
    rows = []
    for number, (kind, text, real) in enumerate(drawn[:TWEETS]):
        share = rng.choice((1, 1, 1, 0.8, 0.7977, 0.6, 0.5123))
        vote = "Relevant" if real else "Not Relevant"
        if share < 0.55 and rng.random() < 0.3:
            vote = "Can't Decide"
        keyword = kind.replace("_", "%20") if kind and rng.random() < 0.9 else ""
        rows.append([
            str(900_000_000 + number), "FALSE", "finalized", "5", "8/27/15 16:52", vote, str(share), "", keyword,
            rng.choice(LOCATIONS), text, lossy(629_000_000_000_000_000 + rng.randrange(10**15), rng), str(rng.randrange(10**9)),
        ])  # fmt: skip
    for row in rng.sample(rows, 12):
        row[10] = rng.choice(("", " ", "\t"))  # empty texts
    for row in rng.sample(rows, 8):
        del row[rng.randint(4, 9) :]  # lines cut short
    return rows


LABELLED = ("earthquake", "flood", "wildfire", "not_disaster")


def labelled(rng: random.Random, each: int) -> str:
    """Return `each` made-up tweets a label as CSV without a header, label and text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    figures = [template for templates in UNREAL.values() for template in templates]
    rows = [(label, fill(rng.choice(REAL.get(label, figures)), rng)) for label in LABELLED for _ in range(each)]
    rng.shuffle(rows)
    writer.writerows(rows)
    return text.getvalue()


def main() -> None:
    for name, each, seed in (("train.csv", 60, SEED + 1), ("test.csv", 15, SEED + 2)):
        Path(__file__).with_name(name).write_text(labelled(random.Random(seed), each), encoding="utf-8")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for number, row in enumerate(tweets(random.Random(SEED))):
        writer.writerow(row)
        if number % 250 == 0:
            text.write("\r\n")  # an empty line
    path = Path(__file__).with_name("sample_tweets.csv")
    path.write_bytes(
        text.getvalue().replace("\r\n", "\r").encode("cp1252", "replace")
    )  # a bare CR ends a row, as in the original
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
