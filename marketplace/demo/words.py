"""The words of the demonstration's listings: English, Russian, Polish, Italian."""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("en", "ru", "pl", "it")
Words = tuple[str, str, str, str]
"""English, Russian, Polish, Italian."""

CATEGORIES: Final[tuple[tuple[str, str | None, Words], ...]] = (
    ("home", None, ("At home", "Для дома", "Dla domu", "Per la casa")),
    ("books", "home", ("Books", "Книги", "Książki", "Libri")),
    ("food", "home", ("Food and coffee", "Еда и кофе", "Jedzenie i kawa", "Cibo e caffè")),
    ("garden", "home", ("Garden", "Сад", "Ogród", "Giardino")),
    ("family", "home", ("Toys and family", "Игрушки и семья", "Zabawki i rodzina",
                        "Giochi e famiglia")),
    ("beauty", "home", ("Scents and care", "Ароматы и уход", "Zapachy i pielęgnacja",
                        "Profumi e cura")),
    ("leisure", None, ("Leisure", "Досуг", "Czas wolny", "Tempo libero")),
    ("outdoor", "leisure", ("Outdoors", "На природе", "Na świeżym powietrzu", "All'aperto")),
    ("culture", "leisure", ("Cinema and music", "Кино и музыка", "Kino i muzyka",
                            "Cinema e musica")),
    ("courses", "leisure", ("Courses", "Курсы", "Kursy", "Corsi")),
    ("travel", None, ("Travel", "Путешествия", "Podróże", "Viaggi")),
    ("work", None, ("For work", "Для работы", "Do pracy", "Per il lavoro")),
    ("tools", "work", ("Tools and electronics", "Инструмент и электроника",
                       "Narzędzia i elektronika", "Attrezzi ed elettronica")),
    ("gear", "work", ("Workwear", "Рабочая одежда", "Odzież robocza", "Abbigliamento da lavoro")),
    ("congress", "work", ("Conferences and training", "Конференции и обучение",
                          "Konferencje i szkolenia", "Convegni e formazione")),
    ("water", None, ("Water for all", "Вода для всех", "Woda dla wszystkich", "Acqua per tutti")),
)  # fmt: skip
"""Slug, parent, name."""

CODES: Final[dict[str, Words]] = {
    "role:buyer": ("buyers", "закупщики", "zaopatrzeniowcy", "addetti agli acquisti"),
    "role:technician": ("technicians", "техники", "technicy", "tecnici"),
    "role:manager": ("managers", "руководители", "kierownicy", "responsabili"),
    "role:apprentice": ("apprentices", "ученики", "uczniowie", "apprendisti"),
    "tag:certificate": ("certificate", "сертификат", "bon", "buono"),
    "tag:instant": ("at once", "сразу", "od razu", "subito"),
    "tag:promotion": ("promotion", "акция", "promocja", "promozione"),
    "tag:charity": ("charity", "благотворительность", "dobroczynność", "beneficenza"),
}
"""What roles and tags are called."""

GIFTS: Final[dict[str, tuple[str, Words]]] = {
    "buch": ("books", ("Leselampe: certificate for books", "Leselampe: сертификат на книги",
                       "Leselampe: bon na książki", "Leselampe: buono per libri")),
    "sport": ("outdoor", ("Gipfelglück: certificate for the outdoors",
                          "Gipfelglück: сертификат на снаряжение",
                          "Gipfelglück: bon na sprzęt turystyczny",
                          "Gipfelglück: buono per l'outdoor")),
    "garten": ("garden", ("Grünzeug: certificate for the garden", "Grünzeug: сертификат для сада",
                          "Grünzeug: bon do ogrodu", "Grünzeug: buono per il giardino")),
    "kino": ("culture", ("Lichtspielhaus: cinema tickets", "Lichtspielhaus: билеты в кино",
                         "Lichtspielhaus: bilety do kina",
                         "Lichtspielhaus: biglietti per il cinema")),
    "technik": ("tools", ("Funkenflug: certificate for electronics",
                          "Funkenflug: сертификат на электронику",
                          "Funkenflug: bon na elektronikę",
                          "Funkenflug: buono per l'elettronica")),
    "saveurs": ("food", ("Saveurs de Lyon: card for delicacies",
                         "Saveurs de Lyon: карта на деликатесы",
                         "Saveurs de Lyon: karta na delikatesy",
                         "Saveurs de Lyon: carta per le specialità")),
    "parfum": ("beauty", ("Maison Violette: card for perfume", "Maison Violette: карта на духи",
                          "Maison Violette: karta na perfumy",
                          "Maison Violette: carta per profumi")),
    "livre": ("books", ("La Page Blanche: card for books", "La Page Blanche: карта на книги",
                        "La Page Blanche: karta na książki", "La Page Blanche: carta per libri")),
    "jeux": ("family", ("Petit Château: card for toys", "Petit Château: карта на игрушки",
                        "Petit Château: karta na zabawki", "Petit Château: carta per giocattoli")),
    "taller": ("tools", ("Valdorra: credit for tools", "Valdorra: кредит на инструменты",
                         "Valdorra: kredyt na narzędzia", "Valdorra: credito per attrezzi")),
    "fiets": ("outdoor", ("Havenwerk: credit for a bicycle", "Havenwerk: кредит на велосипед",
                          "Havenwerk: kredyt na rower", "Havenwerk: credito per una bicicletta")),
    "koffie": ("food", ("Kade 9: coffee for you", "Kade 9: кофе для вас", "Kade 9: kawa dla ciebie",
                        "Kade 9: un caffè per te")),
    "promo-stream": ("culture", ("Klangwelle: three months of music",
                                 "Klangwelle: три месяца музыки",
                                 "Klangwelle: trzy miesiące muzyki",
                                 "Klangwelle: tre mesi di musica")),
    "promo-cours": ("courses", ("Atelier Sauge: an evening of cooking",
                                "Atelier Sauge: вечер кулинарии",
                                "Atelier Sauge: wieczór gotowania",
                                "Atelier Sauge: una sera di cucina")),
    "promo-laars": ("gear", ("Safety boots, new season", "Защитная обувь, новый сезон",
                             "Buty ochronne, nowy sezon", "Scarpe antinfortunistiche, nuove")),
    "promo-sierra": ("tools", ("A week with a track saw", "Неделя с погружной пилой",
                               "Tydzień z pilarką szynową", "Una settimana con la sega a binario")),
}  # fmt: skip
"""Category and title of each gift, by the beginning of its offers' references."""

STAYS: Final[dict[str, tuple[str, Words]]] = {
    "douro": ("Peso da Régua", ("Two nights in the Douro valley", "Две ночи в долине Дору",
                                "Dwie noce w dolinie Douro", "Due notti nella valle del Douro")),
    "porto": ("Porto", ("A night in Porto, old town", "Ночь в старом Порту",
                        "Noc w Porto, stare miasto", "Una notte a Porto, città vecchia")),
    "lisboa": ("Lisboa", ("A weekend in Lisbon for two", "Выходные в Лиссабоне на двоих",
                          "Weekend w Lizbonie dla dwojga", "Un fine settimana a Lisbona per due")),
    "algarve": ("Tavira", ("Five nights in Tavira", "Пять ночей в Тавире", "Pięć nocy w Tavirze",
                           "Cinque notti a Tavira")),
    "madeira": ("Funchal", ("A week in Funchal", "Неделя в Фуншале", "Tydzień w Funchal",
                            "Una settimana a Funchal")),
    "spa": ("Chaves", ("A thermal day in Chaves", "День в термах Шавиша", "Dzień w termach Chaves",
                       "Un giorno alle terme di Chaves")),
    "brunch": ("Porto", ("Sunday brunch for two", "Воскресный бранч на двоих",
                         "Niedzielny brunch dla dwojga", "Brunch della domenica per due")),
    "prova": ("Porto", ("Port tasting at the river", "Дегустация портвейна у реки",
                        "Degustacja porto nad rzeką", "Degustazione di porto sul fiume")),
    "jantar": ("Porto", ("Dinner at Mesa do Norte", "Ужин в Mesa do Norte",
                         "Kolacja w Mesa do Norte", "Cena da Mesa do Norte")),
    "upgrade": ("Porto", ("A better room, in any house", "Номер получше, в любом доме",
                          "Lepszy pokój, w każdym domu", "Una camera migliore, in ogni casa")),
}  # fmt: skip
"""Place and title of each voucher."""

DAYS: Final[dict[str, tuple[str | None, str, str, Words]]] = {
    "vilnius-opening": ("Vilnius", "LT", "en", (
        "Baltic Building Days: opening", "Балтийские дни строительства: открытие",
        "Bałtyckie Dni Budowy: otwarcie", "Giornate baltiche dell'edilizia: apertura")),
    "vilnius-pass": ("Vilnius", "LT", "en", (
        "Baltic Building Days: every day", "Балтийские дни строительства: все дни",
        "Bałtyckie Dni Budowy: wszystkie dni", "Giornate baltiche dell'edilizia: ogni giorno")),
    "heat-pumps": ("Kaunas", "LT", "en", (
        "Heat pumps, a masterclass", "Тепловые насосы, мастер-класс",
        "Pompy ciepła, warsztat mistrzowski", "Pompe di calore, un corso dal vivo")),
    "roofs": ("Riga", "LV", "en", (
        "Green roofs, a workshop", "Зелёные крыши, мастерская", "Zielone dachy, warsztat",
        "Tetti verdi, un laboratorio")),
    "wiring": ("Tallinn", "EE", "en", (
        "Smart wiring, a laboratory", "Умная проводка, лаборатория",
        "Inteligentna instalacja, laboratorium", "Impianti intelligenti, un laboratorio")),
    "tenders": (None, "", "ru", (
        "Winning public tenders, online", "Как выиграть тендер, онлайн",
        "Jak wygrać przetarg, online", "Vincere le gare pubbliche, in rete")),
    "bim": (None, "", "it", (
        "BIM for small firms, online", "BIM для малых фирм, онлайн",
        "BIM dla małych firm, online", "BIM per piccole imprese, in rete")),
    "safety": ("Gdańsk", "PL", "pl", (
        "Safety on site, refreshed", "Безопасность на стройке, повторение",
        "Bezpieczeństwo na budowie, powtórka", "Sicurezza in cantiere, un ripasso")),
    "women": ("Vilnius", "LT", "en", (
        "An evening for women in trades", "Вечер для женщин в ремёслах",
        "Wieczór dla kobiet w rzemiośle", "Una sera per le donne dei mestieri")),
}  # fmt: skip
"""Place, country, language and title of each seat."""

GIVING: Final[dict[str, Words]] = {
    "pump": ("A hand pump for a school", "Ручной насос для школы", "Pompa ręczna dla szkoły",
             "Una pompa a mano per una scuola"),
    "filter": ("Ten water filters", "Десять фильтров для воды", "Dziesięć filtrów do wody",
               "Dieci filtri per l'acqua"),
    "training": ("A plumber's day of training", "День учёбы для сантехника",
                 "Dzień nauki dla hydraulika", "Un giorno di corso per un idraulico"),
    "tests": ("A month of water tests", "Месяц проверок воды", "Miesiąc badań wody",
              "Un mese di analisi dell'acqua"),
    "emergency": ("Water in need, for one family", "Вода в беде, для одной семьи",
                  "Woda w potrzebie, dla rodziny", "Acqua d'emergenza, per una famiglia"),
    "any": ("Where it is needed most", "Где нужнее всего", "Tam, gdzie najbardziej potrzeba",
            "Dove serve di più"),
}  # fmt: skip
"""Title of each donation."""

GIVEN: Final[Words] = (
    "Your points do good, and you see where they went.",
    "Ваши баллы делают доброе дело, и видно, куда они ушли.",
    "Twoje punkty robią coś dobrego, a ty widzisz, dokąd poszły.",
    "I tuoi punti fanno del bene, e vedi dove sono andati.",
)
"""In one line, of a campaign."""

SUMMARIES: Final[dict[str, Words]] = {
    "gift": ("A code, on your screen at once.", "Код сразу на вашем экране.",
             "Kod od razu na ekranie.", "Un codice, subito sullo schermo."),
    "voucher": ("A voucher by e-mail; you choose the date.", "Ваучер по почте; дату выбираете вы.",
                "Voucher e-mailem; datę wybierasz ty.", "Un voucher per e-mail; la data la scegli tu."),
    "seat": ("A seat with your name on it.", "Место с вашим именем.",
             "Miejsce z twoim nazwiskiem.", "Un posto con il tuo nome."),
    "donation": ("Your points become clean water.", "Ваши баллы становятся чистой водой.",
                 "Twoje punkty stają się czystą wodą.", "I tuoi punti diventano acqua pulita."),
}  # fmt: skip
BODIES: Final[dict[str, Words]] = {
    "gift": ("The code is yours as soon as the partner confirms it. You find it under your rewards, "
             "as text and as a QR code, and can print it or send it to a colleague.",
             "Код ваш, как только партнёр его подтвердит. Он лежит среди ваших наград: текстом и "
             "QR-кодом, его можно напечатать или подарить коллеге.",
             "Kod jest twój, gdy tylko partner go potwierdzi. Znajdziesz go wśród swoich nagród, "
             "jako tekst i kod QR; możesz go wydrukować albo podarować koledze.",
             "Il codice è tuo appena il partner lo conferma. Lo trovi fra i tuoi premi, come testo "
             "e come codice QR; puoi stamparlo o regalarlo a un collega."),
    "voucher": ("Breakfast and taxes are included. Book with the house directly and show the voucher "
                "when you arrive.",
                "Завтрак и налоги включены. Бронируйте прямо у дома и покажите ваучер по приезде.",
                "Śniadanie i podatki są w cenie. Zarezerwuj bezpośrednio i pokaż voucher na miejscu.",
                "Colazione e tasse sono comprese. Prenota direttamente e mostra il voucher all'arrivo."),
    "seat": ("The ticket comes by e-mail and opens the door. Can you not come? Send it to a colleague.",
             "Билет придёт по почте и откроет дверь. Не можете прийти? Подарите его коллеге.",
             "Bilet przyjdzie e-mailem i otworzy drzwi. Nie możesz przyjść? Podaruj go koledze.",
             "Il biglietto arriva per e-mail e apre la porta. Non puoi venire? Regalalo a un collega."),
    "donation": ("Fondazione Acqua Chiara builds and repairs wells, pumps and tanks together with the "
                 "people who use them, and tells every year what became of each euro.",
                 "Fondazione Acqua Chiara строит и чинит колодцы, насосы и баки вместе с теми, кто "
                 "ими пользуется, и каждый год отчитывается за каждый евро.",
                 "Fondazione Acqua Chiara buduje i naprawia studnie, pompy i zbiorniki razem z tymi, "
                 "którzy z nich korzystają, i co roku rozlicza każde euro.",
                 "Fondazione Acqua Chiara costruisce e ripara pozzi, pompe e cisterne con chi li usa, "
                 "e ogni anno racconta che cosa è stato di ogni euro."),
}  # fmt: skip
TERMS: Final[dict[str, Words]] = {
    "gift": ("Valid for two years. Not paid out in cash.", "Действует два года. Не обменивается на "
             "деньги.", "Ważny dwa lata. Nie wymienia się na gotówkę.",
             "Vale due anni. Non si cambia in denaro."),
    "voucher": ("Valid for a year, subject to free rooms.", "Действует год, при наличии мест.",
                "Ważny rok, w miarę wolnych miejsc.", "Vale un anno, secondo disponibilità."),
    "seat": ("The seat can be passed on until the day before.", "Место можно передать до кануна.",
             "Miejsce można przekazać do dnia przed.", "Il posto si può cedere fino al giorno prima."),
    "donation": ("A donation cannot be taken back once it is confirmed.",
                 "Подтверждённое пожертвование не возвращается.",
                 "Potwierdzonej darowizny nie można cofnąć.",
                 "Una donazione confermata non si può ritirare."),
}  # fmt: skip
