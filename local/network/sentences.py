"""What people of the made-up network write: our own sentences, in five languages.

`{name}` stands for one of SLOTS of that language, `{place}` for the place of a crisis, or for any other.
"""

from __future__ import annotations

EVERYDAY: dict[str, tuple[str, ...]] = {
    "en": (
        "Making {food} again because nobody at home complains about {food}",
        "Is it just me or is {day} the longest day of the week",
        "My cat has decided that {hour} is breakfast time",
        "Finally finished that book about {topic}. Ten out of ten",
        "Anyone else who talks about nothing but {topic} today?",
        "Good morning from {place}, where the coffee is strong",
        "New glasses. I can read the menu at the {food} place now",
        "{day} plans: {topic}, a nap, and then more {topic}",
        "The bus to {place} is on time and I don't know how to feel about it",
        "Teaching my dad {topic}. Pray for my patience",
        "I could live on {food} and nobody could stop me",
        "Rehearsal went well, see you all in {place} on {day}",
        "Reading about {topic} at {hour} was a mistake",
        "Three meetings that could have been one mail. Anyway: {food}",
        "Found my old photos of {place}. We were so young",
        "Unpopular opinion: {food} is better cold",
        "The kids asked about {topic} and now I am googling {topic}",
        "Happy birthday to the best neighbour in {place}!",
    ),
    "es": (
        "Hoy toca {food}, que en casa nadie protesta",
        "¿Soy yo o el {day} no se acaba nunca?",
        "Mi gato ha decidido que se desayuna a las {hour}",
        "Por fin terminé el libro sobre {topic}. Muy recomendable",
        "Buenos días desde {place}, aquí el café es bueno",
        "El bus a {place} llega puntual, no me lo creo",
        "Podría vivir solo de {food}",
        "Planes para el {day}: {topic} y siesta",
        "Enseñándole {topic} a mi padre, paciencia infinita",
        "Nos vemos el {day} en {place}, traed {food}",
        "He encontrado fotos viejas de {place}, qué jóvenes éramos",
        "Otra reunión que podía haber sido un correo",
        "Leyendo sobre {topic} a las {hour}, mañana me arrepiento",
        "Feliz cumpleaños a la mejor vecina de {place}",
    ),
    "pt": (
        "Hoje é dia de {food}, ninguém reclama aqui em casa",
        "Só eu acho que {day} não acaba nunca?",
        "O meu gato decidiu que o café da manhã é às {hour}",
        "Terminei o livro sobre {topic}, recomendo muito",
        "Bom dia de {place}, o café aqui é forte",
        "A carona para {place} chegou na hora, nem acredito",
        "Eu podia viver só de {food}",
        "Planos para {day}: {topic} e descanso",
        "Ensinando {topic} ao meu pai, haja paciência",
        "Vemo-nos {day} em {place}, tragam {food}",
        "Achei fotos antigas de {place}, éramos tão novos",
        "Mais uma reunião que podia ser um e-mail",
        "Lendo sobre {topic} às {hour}, amanhã arrependo-me",
        "Parabéns à melhor vizinha de {place}",
    ),
    "fr": (
        "Ce soir {food}, personne ne se plaint à la maison",
        "C'est moi ou {day} ne finit jamais ?",
        "Mon chat a décidé que le petit déjeuner est à {hour}",
        "J'ai enfin fini ce livre sur {topic}, je recommande",
        "Bonjour de {place}, ici le café est bon",
        "Le bus pour {place} est à l'heure, je n'y crois pas",
        "Je pourrais vivre de {food}",
        "Programme de {day} : {topic} et sieste",
        "J'apprends {topic} à mon père, patience",
        "On se voit {day} à {place}, apportez {food}",
        "Retrouvé de vieilles photos de {place}, nous étions jeunes",
        "Encore une réunion qui aurait pu être un mail",
        "Lire sur {topic} à {hour}, mauvaise idée",
        "Joyeux anniversaire à la meilleure voisine de {place}",
    ),
    "it": (
        "Stasera {food}, a casa nessuno si lamenta",
        "Sono io o {day} non finisce mai?",
        "Il mio gatto ha deciso che si fa colazione alle {hour}",
        "Finalmente ho finito il libro su {topic}, consigliato",
        "Buongiorno da {place}, qui il caffè è buono",
        "Il bus per {place} è in orario, non ci credo",
        "Potrei vivere solo di {food}",
        "Programma per {day}: {topic} e pisolino",
        "Insegno {topic} a mio padre, che pazienza",
        "Ci vediamo {day} a {place}, portate {food}",
        "Ho trovato vecchie foto di {place}, eravamo giovani",
        "Un'altra riunione che poteva essere una mail",
        "Leggere di {topic} alle {hour}, pessima idea",
        "Buon compleanno alla migliore vicina di {place}",
    ),
}

METAPHORS: dict[str, tuple[str, ...]] = {
    "en": (
        "My inbox is flooded again, happy {day}",
        "That new song is fire",
        "{topic} fans are having a meltdown and I am here for it",
        "This {food} is the bomb",
    ),
    "es": (
        "Avalancha de correos otra vez, feliz {day}",
        "Ese partido fue un terremoto",
        "Una lluvia de memes sobre {topic}",
    ),
    "pt": ("Uma enxurrada de mensagens, feliz {day}", "Esse jogo foi um terremoto", "Chuva de memes sobre {topic}"),
    "fr": ("Une avalanche de mails, vive {day}", "Ce concert, un vrai séisme", "Une pluie de mèmes sur {topic}"),
    "it": ("Una valanga di mail, buon {day}", "Quella partita è stata un terremoto", "Una pioggia di meme su {topic}"),
}

CRISES: dict[str, dict[str, tuple[str, ...]]] = {
    "flood": {
        "en": (
            "The river in {place} has burst its banks, water is in the houses",
            "Flood warning for {place}, move to higher ground now",
            "Our street in {place} is under water, boats are taking people out",
            "Flash flood in {place}. The bridge is gone, stay away from the river",
        ),
        "es": (
            "El río se ha desbordado en {place}, el agua entra en las casas",
            "Inundaciones en {place}, hay vecinos atrapados en los tejados",
            "Alerta por inundación en {place}, suban a zonas altas",
        ),
        "pt": (
            "O rio transbordou em {place}, a água entrou nas casas",
            "Enchente em {place}, moradores ilhados esperam resgate",
            "Alerta de inundação em {place}, procurem lugares altos",
        ),
        "fr": (
            "La rivière déborde à {place}, l'eau entre dans les maisons",
            "Inondations à {place}, des habitants attendent les secours sur les toits",
            "Alerte inondation à {place}, évacuation en cours",
        ),
        "it": (
            "Il fiume è esondato a {place}, acqua nelle case",
            "Alluvione a {place}, famiglie evacuate nella notte",
            "Allerta alluvione a {place}, salite ai piani alti",
        ),
    },
    "earthquake": {
        "en": (
            "Strong earthquake in {place}, everything was shaking",
            "Earthquake! We are out on the street in {place}, walls have cracked",
            "Aftershock just now in {place}, buildings damaged, people hurt",
        ),
        "es": (
            "Terremoto fuerte en {place}, se movió toda la casa",
            "Sismo en {place}, hay edificios dañados y heridos",
            "Réplica ahora mismo en {place}, estamos en la calle",
        ),
        "pt": (
            "Terremoto forte em {place}, a casa toda tremeu",
            "Sismo em {place}, prédios danificados e feridos",
        ),
        "fr": (
            "Séisme à {place}, tout a tremblé",
            "Tremblement de terre à {place}, des bâtiments endommagés et des blessés",
        ),
        "it": (
            "Terremoto a {place}, ha tremato tutto",
            "Forte scossa di terremoto a {place}, crolli e feriti",
        ),
    },
    "wildfire": {
        "en": (
            "Wildfire near {place} is out of control, smoke everywhere",
            "Evacuation order for {place}: the forest fire has reached the first houses",
            "Firefighters are battling the wildfire above {place}",
        ),
        "es": (
            "Incendio forestal cerca de {place}, evacúan a los vecinos",
            "El incendio forestal de {place} sigue sin control, mucho humo",
        ),
        "pt": (
            "Incêndio florestal perto de {place}, aldeias evacuadas",
            "O incêndio florestal em {place} está fora de controlo",
        ),
        "fr": (
            "Feu de forêt près de {place}, les habitants sont évacués",
            "L'incendie de forêt à {place} n'est pas maîtrisé, fumée partout",
        ),
        "it": (
            "Incendio boschivo vicino a {place}, case evacuate",
            "L'incendio boschivo a {place} è fuori controllo",
        ),
    },
    "storm": {
        "en": (
            "The hurricane has hit {place}, roofs are flying off",
            "Tornado on the ground near {place}, take shelter now",
            "Storm in {place}: trees down, no power since {hour}",
        ),
        "es": (
            "El huracán golpea {place}, hay techos arrancados",
            "Tornado cerca de {place}, busquen refugio",
        ),
        "pt": (
            "O furacão atingiu {place}, telhados arrancados",
            "Tornado perto de {place}, procurem abrigo",
        ),
        "fr": (
            "L'ouragan frappe {place}, des toits arrachés",
            "Tornade près de {place}, mettez-vous à l'abri",
        ),
        "it": (
            "L'uragano ha colpito {place}, tetti scoperchiati",
            "Tornado vicino a {place}, mettetevi al riparo",
        ),
    },
    "explosion": {
        "en": (
            "Huge explosion at the plant in {place}, windows shattered for miles",
            "Explosion in {place}, ambulances on their way, many injured",
        ),
        "es": (
            "Explosión en una fábrica de {place}, hay heridos",
            "Fuerte explosión en {place}, bomberos en camino",
        ),
        "pt": (
            "Explosão numa fábrica em {place}, há feridos",
            "Forte explosão em {place}, bombeiros a caminho",
        ),
        "fr": (
            "Explosion dans une usine à {place}, des blessés",
            "Forte explosion à {place}, les pompiers arrivent",
        ),
        "it": (
            "Esplosione in una fabbrica a {place}, ci sono feriti",
            "Forte esplosione a {place}, vigili del fuoco sul posto",
        ),
    },
}

ALTS: dict[str, str] = {
    "en": "Photo taken in {place}",
    "es": "Foto hecha en {place}",
    "pt": "Fotografia tirada em {place}",
    "fr": "Photo prise à {place}",
    "it": "Foto scattata a {place}",
}

PLACES: dict[str, tuple[str, ...]] = {
    "en": ("Springfield", "Leeds", "Boulder", "Cork", "Dunedin", "Halifax", "Tampa", "Brisbane"),
    "es": ("Valdivia", "Murcia", "Oaxaca", "Rosario", "Cali", "Tarragona", "Piura"),
    "pt": ("Blumenau", "Coimbra", "Olinda", "Petrópolis", "Braga", "Santarém"),
    "fr": ("Nîmes", "Liège", "Trois-Rivières", "Annecy", "Saint-Étienne", "Cayenne"),
    "it": ("Faenza", "L'Aquila", "Matera", "Lecco", "Trapani", "Spoleto"),
}

SLOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "food": ("pancakes", "lentil soup", "noodles", "pizza", "curry", "rice pudding"),
        "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "hour": ("5 am", "midnight", "noon", "3 in the morning"),
        "topic": ("knitting", "chess", "old maps", "sourdough", "birds", "jazz", "football", "gardening"),
    },
    "es": {
        "food": ("tortilla", "lentejas", "arroz", "empanadas", "gazpacho"),
        "day": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        "hour": ("cinco", "seis", "tres de la mañana"),
        "topic": ("ajedrez", "mapas antiguos", "pájaros", "jazz", "fútbol", "jardinería"),
    },
    "pt": {
        "food": ("feijoada", "bacalhau", "arroz", "pão de queijo", "sopa"),
        "day": ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo"),
        "hour": ("cinco", "seis", "três da manhã"),
        "topic": ("xadrez", "mapas antigos", "pássaros", "jazz", "futebol", "jardinagem"),
    },
    "fr": {
        "food": ("des crêpes", "une soupe", "du riz", "une quiche", "des lentilles"),
        "day": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        "hour": ("cinq heures", "minuit", "midi", "trois heures du matin"),
        "topic": ("les échecs", "les vieilles cartes", "les oiseaux", "le jazz", "le football", "le jardinage"),
    },
    "it": {
        "food": ("lasagne", "minestrone", "risotto", "polenta", "pizza"),
        "day": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
        "hour": ("cinque", "sei", "tre di notte"),
        "topic": ("scacchi", "vecchie mappe", "uccelli", "jazz", "calcio", "giardinaggio"),
    },
}
