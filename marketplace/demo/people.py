"""The demonstration's companies and people: who they are and where, without any I/O."""

from __future__ import annotations

from typing import Final

import msgspec


class DemoMember(msgspec.Struct, frozen=True):
    """A member and its one contract."""

    slug: str
    name: str
    country: str
    role: str
    funding: str
    price_micros: int
    fee_bps: int
    breakage: str
    valid_days: int | None = None
    cap_micros: int | None = None


OPERATOR: Final = "meridian-circle"

MEMBERS: Final = (
    DemoMember(OPERATOR, "Meridian Circle", "NL", "both", "redemption", 8_000, 0, "operator"),
    DemoMember(
        "nordlicht", "Nordlicht Elektrohandel", "DE", "issuer", "redemption", 8_000, 150, "operator"
    ),
    DemoMember(
        "tuiles-du-midi", "Tuiles du Midi", "FR", "issuer", "issuance", 7_600, 120, "operator", 240
    ),
    DemoMember(
        "valdorra", "Valdorra Herramientas", "ES", "both", "redemption", 8_200, 150, "operator",
        None, 60_000_000_000,
    ),
    DemoMember(
        "brennero", "Brennero Climatica", "IT", "issuer", "issuance", 7_800, 100, "shared", 300
    ),
    DemoMember(
        "havenwerk", "Havenwerk Logistiek", "NL", "both", "redemption", 8_000, 150, "operator", 540
    ),
    DemoMember("wisla-stal", "Wisła Stal", "PL", "issuer", "issuance", 7_500, 100, "issuer", 365),
    DemoMember(
        "kartenkontor", "Kartenkontor", "DE", "acceptor", "redemption", 8_000, 200, "operator"
    ),
    DemoMember(
        "carte-celeste", "Carte Céleste", "FR", "acceptor", "redemption", 8_000, 200, "operator"
    ),
    DemoMember(
        "atlantico", "Atlântico Hotéis", "PT", "acceptor", "redemption", 8_000, 200, "operator"
    ),
    DemoMember(
        "forum-baltica", "Forum Baltica", "LT", "acceptor", "redemption", 8_000, 200, "operator"
    ),
    DemoMember(
        "acqua-chiara", "Fondazione Acqua Chiara", "IT", "acceptor", "redemption", 8_000, 0,
        "operator",
    ),
)  # fmt: skip
"""Twelve companies: the operator, six issuers (three of them acceptors too), five acceptors."""


class DemoFirm(msgspec.Struct, frozen=True):
    """A customer company; `sponsor` looks after it and is the first of its `issuers`."""

    reference: str
    name: str
    country: str
    issuers: tuple[str, ...]

    @property
    def sponsor(self) -> str:
        return self.issuers[0]


FIRMS: Final = (
    DemoFirm("brandt", "Elektro Brandt GmbH", "DE", ("nordlicht", "havenwerk")),
    DemoFirm("lindner", "Lindner Haustechnik KG", "DE", ("nordlicht", "brennero")),
    DemoFirm("kaltenbach", "Kaltenbach & Söhne", "DE", ("nordlicht", "wisla-stal")),
    DemoFirm("vogtland", "Vogtland Montage GmbH", "DE", ("nordlicht", "havenwerk", "wisla-stal")),
    DemoFirm("petersen", "Petersen Dachbau", "DE", ("havenwerk", "nordlicht")),
    DemoFirm("strobl", "Strobl Installationen", "AT", ("brennero", "nordlicht")),
    DemoFirm("mercier", "Toitures Mercier SARL", "FR", ("tuiles-du-midi", "valdorra")),
    DemoFirm("lefevre", "Chauffage Lefèvre", "FR", ("tuiles-du-midi", "brennero")),
    DemoFirm("garnier", "Menuiserie Garnier", "FR", ("tuiles-du-midi", "valdorra")),
    DemoFirm("rousseau", "Rousseau Électricité", "FR", ("tuiles-du-midi", "nordlicht")),
    DemoFirm("delorme", "Charpentes Delorme", "FR", ("tuiles-du-midi", "havenwerk")),
    DemoFirm("robledo", "Instalaciones Robledo SL", "ES", ("valdorra", "tuiles-du-midi")),
    DemoFirm("olmedo", "Carpintería Olmedo", "ES", ("valdorra", "havenwerk")),
    DemoFirm("navarrete", "Reformas Navarrete", "ES", ("valdorra", "brennero")),
    DemoFirm("iglesias", "Climatización Iglesias", "ES", ("valdorra", "brennero")),
    DemoFirm("montoro", "Montoro Obras SA", "ES", ("valdorra", "tuiles-du-midi", "havenwerk")),
    DemoFirm("ferri", "Termoidraulica Ferri Srl", "IT", ("brennero", "valdorra")),
    DemoFirm("galli", "Officine Galli", "IT", ("brennero", "wisla-stal")),
    DemoFirm("marchetti", "Marchetti Impianti", "IT", ("brennero", "nordlicht")),
    DemoFirm("colombo", "Edilizia Colombo", "IT", ("brennero", "tuiles-du-midi")),
    DemoFirm("devries", "De Vries Installatie BV", "NL", ("havenwerk", "nordlicht")),
    DemoFirm("hoekstra", "Bouwbedrijf Hoekstra", "NL", ("havenwerk", "wisla-stal")),
    DemoFirm("vandijk", "Van Dijk Dakwerken", "NL", ("havenwerk", "tuiles-du-midi")),
    DemoFirm("janssens", "Janssens Sanitair", "BE", ("havenwerk", "brennero")),
    DemoFirm("instal", "Instal Mazur sp. z o.o.", "PL", ("wisla-stal", "nordlicht")),
    DemoFirm("zaklad", "Zakład Elektryczny Wrona", "PL", ("wisla-stal", "havenwerk")),
    DemoFirm("budrem", "Budrem Kraków", "PL", ("wisla-stal", "brennero")),
    DemoFirm("stolarnia", "Stolarnia Dąb", "PL", ("wisla-stal", "valdorra")),
    DemoFirm("sousa", "Canalizações Sousa Lda", "PT", ("valdorra", "havenwerk")),
    DemoFirm("ribeiro", "Ribeiro Construções", "PT", ("valdorra", "tuiles-du-midi")),
)
"""Thirty trade firms."""

LANGUAGES: Final = {
    "DE": "de", "AT": "de", "FR": "fr", "ES": "es", "IT": "it", "NL": "nl", "BE": "nl",
    "PL": "pl", "PT": "pt",
}  # fmt: skip

FIRST_NAMES: Final = {
    "de": "Anke Björn Claudia Dieter Elke Florian Greta Hannes Ilka Jörg Katrin Lukas Mareike Nils "
    "Petra Ralf Sabine Thorsten Ute Wolfgang",
    "fr": "Adèle Baptiste Camille Damien Élodie Fabien Gaëlle Hugo Inès Julien Karine Léa Mathieu "
    "Noémie Olivier Pauline Quentin Romane Sébastien Thérèse",
    "es": "Alba Benito Carmen Diego Elena Fermín Gloria Hugo Inmaculada Javier Lucía Martín Nuria "
    "Óscar Pilar Ramón Sonia Tomás Verónica Íñigo",
    "it": "Alessia Bruno Chiara Davide Elisa Fabrizio Giulia Ivano Lorenza Matteo Nicoletta Orazio "
    "Paola Renato Silvia Tommaso Ugo Valeria Walter Zeno",
    "nl": "Anouk Bram Carolien Daan Esther Floris Geertje Hidde Ineke Jeroen Koen Lotte Maarten "
    "Noor Pieter Roos Sander Tessa Wouter Yvonne",
    "pl": "Agnieszka Bartosz Celina Dariusz Elżbieta Filip Grażyna Henryk Iwona Jakub Katarzyna "
    "Łukasz Małgorzata Norbert Olga Paweł Renata Stanisław Urszula Wojciech",
    "pt": "Afonso Beatriz César Diana Eduardo Filipa Gonçalo Helena Inês João Leonor Miguel "
    "Natália Osvaldo Patrícia Rui Sara Tiago Vera Zélia",
}

LAST_NAMES: Final = {
    "de": "Ahrens Böhm Christiansen Dorn Ebert Fuchs Grabow Hartwig Jansen Köhler Lorenz Möller "
    "Neumann Oswald Pfeiffer Riedel Schäfer Thiele Ulrich Ziegler",
    "fr": "Aubert Bonnet Chevalier Dupuis Étienne Fournier Girard Hubert Joly Lambert Marchand "
    "Noël Perrin Renaud Simon Texier Vasseur Villeneuve Besson Colin",
    "es": "Aranda Beltrán Cabrera Domínguez Escudero Fuentes Gallego Herrera Ibáñez Jurado Lozano "
    "Medina Núñez Ortega Prieto Quintana Romero Salas Trujillo Vidal",
    "it": "Amato Bellini Caruso Damiani Esposito Fontana Gatti Leone Mancini Neri Orlando "
    "Pellegrini Riva Santoro Testa Valentini Zanetti Basile Conte Donati",
    "nl": "Bakker Claassen Dekker Evers Gerritsen Hendriks Kuiper Lammers Mulder Peeters Postma "
    "Scholten Smit Timmermans Veenstra Verhoeven Visser Wouters Brouwer Dijkstra",
    "pl": "Baran Cieślak Duda Gajda Jurek Kaczmarek Krawczyk Lis Mazurek Nowak Ossowska-Lis Pawlak "
    "Rogal Sikora Tomczak Urban Walczak Wróbel Zając Żak",
    "pt": "Almeida Barbosa Cardoso Dias Esteves Faria Gomes Henriques Lopes Machado Nogueira "
    "Pacheco Queirós Rocha Serrano Tavares Vaz Xavier Amaral Bento",
}

ROLES: Final = ("buyer", "buyer", "technician", "technician", "technician", "manager", "apprentice")
