"""Names as in Skatteetaten's synthetic population: an adjective and a noun. Nobody is called that."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _words(
    "Aktiv Ansvarlig Artig Bestemt Blid Bred Dyktig Djerv Ekte Elegant Enkel Ertende Fager Fin Flittig Fornuftig "
    "Forsiktig Frisk Glad Gjev Grei Grundig Hendig Hjelpsom Humoristisk Ivrig Jovial Kjapp Klar Klok Kreativ "
    "Kvikk Lang Lett Livlig Lojal Lun Lur Lykkelig Modig Munter Myk Mild Nysgjerrig Nett Nøyaktig Oppriktig Pen "
    "Positiv Praktisk Presis Rolig Rund Ryddig Rå Sindig Skarp Smart Snill Spenstig Sprek Stille Stolt Stødig "
    "Sunn Søt Tapper Tålmodig Treffsikker Trivelig Trygg Tydelig Underfundig Utålmodig Vakker Varm Velvillig "
    "Vennlig Vilter Viril Vis Voksen Våken Ærlig Ødsel Åpen"
)
NOUNS = _words(
    "Agurk Ananas Ape Appelsin Bamse Bensin Bil Bjelle Bjørk Blyant Bok Bolle Brosje Bukett Bygning Dal Delfin "
    "Drue Due Eik Ekorn Elefant Elg Eple Ert Fabel Fiolin Fjell Fjord Flaske Flyndre Foss Frakk Furu Fyr Gaupe "
    "Genser Giraff Gitar Grevling Gulrot Hage Hammer Harpe Hatt Hav Hegre Hest Humle Hval Hylle Is Isbjørn Jakke "
    "Jerv Kaffe Kaktus Kanin Kasse Katt Kirsebær Klokke Kløver Knapp Kniv Kongle Kopp Krabbe Krone Kurv Laks "
    "Lampe Lilje Linerle Loff Lue Lyng Maur Melk Moll Måke Måne Mygg Nøkkel Okse Ost Padde Panne Penn Perle "
    "Plomme Potet Pute Rakett Rev Ring Robåt Rose Rype Saft Sag Sau Seil Sekk Sjø Skje Skog Sky Sol Sopp Spade "
    "Stein Stjerne Stol Strand Sykkel Sømmerfugl Tang Tavle Teppe Tiger Tomat Tranebær Trompet Tråd Ugle Ulv "
    "Vaffel Vase Vind Vogn Våg Ørn Øy Åker Ål"
)
SAMI_ADJECTIVES = _words("Čáppa Ođđa Šiega Vilges Ruoná Čielga Málsi Fiinna")
SAMI_NOUNS = _words("Goahti Čáhci Ruŋgu Guolli Beaivváš Mánnu Muohta Ŧávvi Žilbmi Johka")
STREETS = _words(
    "Andungestien Bekkasinveien Brislingveien Dunhammerveien Einerbakken Fiskemåkegata Gjøkeveien Gressløkkveien "
    "Hasselstien Kaprifolveien Klokkeblomveien Konglestien Krykkjeveien Ladberget Lerkeveien Makrellgata "
    "Multestien Nøtteskrikeveien Orrhaneveien Pilestien Ripsbærveien Rognebakken Sildegata Sivstien Skarvegata "
    "Solsikkeveien Storspoveien Svaleveien Tindvedveien Trosteveien Tyttebærstien Tjeldveien Ugleveien "
    "Vaktelveien Vipestien"
)
