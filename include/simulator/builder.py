"""Makes the people, families, staff and groups of one kommune from a seed and a date.

They depend only on the seed, the kommune and the school year of the date (1 August to 31 July): any day of the same
school year has the same people, numbers and addresses. Each family is made with a random generator of its own, so that
a family can be made without the families before it. A kommune has the same people alone and together with other
kommuner.
"""

from collections import defaultdict
from datetime import date, timedelta
from random import Random

from simulator import names
from simulator.kommuner import Kommune, School
from simulator.model import (
    Address,
    Canary,
    Contact,
    Employee,
    Group,
    Member,
    Person,
    Position,
    Pupil,
    Responsibility,
    SasPerson,
    World,
)
from simulator.numbers import Issuer

FOREVER = date(2099, 12, 31)
SUBJECTS = (
    ("NOR", "Norsk", "NOR0218"),
    ("MAT", "Matematikk", "MAT0015"),
    ("ENG", "Engelsk", "ENG0030"),
    ("SAM", "Samfunnsfag", "SAF0010"),
    ("NAT", "Naturfag", "NAT0021"),
    ("KRL", "KRLE", "RLE0030"),
)
_ASCII = str.maketrans("æøåáčđŋšŧžÆØÅÁČĐŊŠŦŽ", "aoaacdnstzAOAACDNSTZ")


def school_year(day: date) -> int:
    """Return the calendar year in which the school year of ``day`` begins."""
    return day.year if day.month >= 8 else day.year - 1


class Builder:
    """Makes people, families, staff and groups of one kommune."""

    def __init__(self, kommune: Kommune, seed: int, day: date) -> None:
        self.kommune, self.year = kommune, school_year(day)
        self.world = World(kommune, seed, self.year, day)
        self.world.maker = self
        self.start = date(self.year, 8, 1)
        self._issuer = Issuer(kommune.share)
        self._families = self._canaries = self._dwellings = self._mobiles = 0
        self._pupils = self._guardians = self._employees = 0
        self.teachers: dict[str, list[Employee]] = {}
        self.heads: dict[str, Employee] = {}
        self.assistants: dict[str, list[Employee]] = {}
        self.lilly: Employee | None = None
        self.finished = False
        self._usernames: set[str] = set()
        self._addresses: set[tuple[str, str, str]] = set()
        self.rng = self.random("kommune")
        self.seats = self._make_seats()

    def random(self, *what: object) -> Random:
        """Return a generator that depends only on the world's key and ``what``."""
        return Random("/".join(map(str, (self.world.seed, self.kommune.number, self.year, *what))))

    # -- seats ---------------------------------------------------------------------------------------------------

    def _make_seats(self) -> list[tuple[School, int, str]]:
        """One seat for each pupil, spread evenly over the classes, in a shuffled order."""
        classes = [(school, level, letter) for school in self.kommune.schools for level, letter in school.classes]
        seats = [classes[index % len(classes)] for index in range(self.kommune.pupils)]
        self.random("seats").shuffle(seats)
        return seats

    def seat(
        self, key: str | None = None, level: int | None = None, letter: str | None = None
    ) -> tuple[School, int, str]:
        """Take the next free seat at this school, level and class; ValueError when there is none."""
        for index, (school, seat_level, seat_letter) in enumerate(self.seats):
            if key in (None, school.key) and level in (None, seat_level) and letter in (None, seat_letter):
                return self.seats.pop(index)
        raise ValueError(f"no free seat at {key} {level}{letter}")

    # -- people --------------------------------------------------------------------------------------------------

    def canary(self) -> Canary:
        """Make a new canary."""
        self._canaries += 1
        return Canary(self._canaries)

    def dwelling(
        self, rng: Random, *, canary: bool = False, kommunenummer: str | None = None, kind: str = "vegadresse"
    ) -> Address:
        """Make a dwelling that nobody lives in yet."""
        while True:
            street, house = rng.choice(names.STREETS), str(rng.randint(1, 89))
            unit = rng.choice(("H0101", "H0101", "H0101", "H0201", "H0202", "U0101"))
            if (street, house, unit) not in self._addresses:
                break
        self._addresses.add((street, house, unit))
        self._dwellings += 1
        elsewhere = kommunenummer is not None
        address = Address(
            kommunenummer or self.kommune.number,
            street,
            house,
            unit,
            "4250" if elsewhere else self.kommune.postcode,
            "KOPERVIK" if elsewhere else self.kommune.place,
            str(280_000_000 + 1_000_000 * self.kommune.share + self._dwellings),
            self.start - timedelta(days=rng.randint(200, 4000)),
            husbokstav=rng.choice((None, None, None, "A", "B")),
            kind=kind,
        )
        if canary:
            words = self.canary()
            address.adressenavn = words.word("freg.adresse.adressenavn", "gata")
            address.poststedsnavn = words.word("freg.adresse.poststedsnavn", "poststed").upper()
            address.matrikkel_id = words.digits("freg.adresse.adresseIdentifikatorFraMatrikkelen", "41700")
            address.tokens = words.tokens
        return address

    @staticmethod
    def ascii(name: str) -> str:
        """Turn a name into the first part of an e-mail address."""
        return name.translate(_ASCII).lower().replace(" ", "")

    def mobile(self) -> str:
        """Make a mobile number that nobody has."""
        self._mobiles += 1
        return f"+474{1_000_000 + 2_000_000 * self.kommune.share + self._mobiles * 7}"

    def fresh_day(self, rng: Random) -> date:
        """Return a day before the school year that is less than 18 months back on each day of the school year."""
        return self.start - timedelta(days=rng.randint(5, 140))

    def stale_day(self, rng: Random) -> date:
        """Return a day that is more than 18 months back on each day of the school year."""
        return self.start - timedelta(days=rng.randint(560, 1700))

    def username(self, given: str, family: str) -> str:
        """Make a user name that nobody has: three letters of each name and, if that is taken, a number."""
        stem = (given[:3] + family[:3]).translate(_ASCII).lower().replace(" ", "")
        name, count = stem, 1
        while name in self._usernames:
            count += 1
            name = f"{stem}{count}"
        self._usernames.add(name)
        return name

    def person(
        self,
        rng: Random,
        role: str,
        *,
        born: date,
        sex: str | None = None,
        given: str | None = None,
        family: str | None = None,
        home: Address | None = None,
        canary: bool = False,
        dnummer: bool = False,
        rule: int = 1964,
        series: int | None = None,
        cases: tuple[str, ...] = (),
        **fields: object,
    ) -> Person:
        """Make a new person, in FREG. ``fields`` are fields of ``Person``."""
        sex = sex or rng.choice(("kvinne", "mann"))
        middle = rng.choice(names.NOUNS) if given is None and rng.random() < 0.12 else None
        given = given or rng.choice(names.ADJECTIVES)
        family = family or rng.choice(names.NOUNS)
        words = None
        if canary:
            words, middle = self.canary(), None
            given, family = words.word("navn.fornavn", "fornavn"), words.word("navn.etternavn", "etternavn")
        number = self._issuer.issue(born, sex, series or rng.randrange(10**6), dnummer=dnummer, rule=rule)
        person = Person(
            number,
            given,
            middle,
            family,
            born,
            sex,
            home,
            id_type="dNummer" if dnummer else "foedselsnummer",
            status="midlertidig" if dnummer else "bosatt",
            canary=words,
            cases=list(cases),
            roles=[role],
            **fields,  # type: ignore[arg-type]
        )
        self.world.persons[number] = person
        if self.finished:
            self.register(person)
        return person

    def register(self, person: Person) -> None:
        """Let FREG find this person by their numbers."""
        if person.in_freg:
            self.world.by_any_number[person.number] = person
            if person.old_number:
                self.world.by_any_number[person.old_number] = person

    def adult(self, rng: Random, role: str, oldest_child: date, contact: str = "any", **fields: object) -> Person:
        """Make a person who can be the parent of a child born then; ``contact`` is as in ``contact_of``."""
        born = date(oldest_child.year - rng.randint(22, 38), rng.randint(1, 12), rng.randint(1, 28))
        person = self.person(rng, role, born=born, **fields)  # type: ignore[arg-type]
        person.contact = self.contact_of(rng, person, contact)
        return person

    def contact_of(self, rng: Random, person: Person, state: str) -> Contact | None:
        """Make an entry in KRR.

        ``state``: fresh, only_email, only_mobile, reserved, expired, filtered, mixed, deleted, missing or any (mostly
        fresh). Canary people always have a fresh entry: a contact that cannot be used need not be hidden.
        """
        if state == "any":
            weights = {
                "fresh": 82,
                "only_email": 4,
                "only_mobile": 4,
                "mixed": 4,
                "reserved": 2,
                "expired": 2,
                "missing": 2,
            }
            state = "fresh" if person.canary else rng.choices(list(weights), list(weights.values()))[0]
        if state != "fresh":
            person.cases.append(f"krr_{state}")
        if state == "missing":
            return None
        email = f"{self.ascii(f'{person.given}.{person.family}{person.number[6:9]}')}@example.com"
        mobile = self.mobile()
        if person.canary:
            email = person.canary.word("krr.epostadresse", "krrepost").lower() + "@example.com"
            mobile = person.canary.digits("krr.mobiltelefonnummer", "+479011")
        fresh, stale = self.fresh_day(rng), self.stale_day(rng)
        old, first = state in ("expired", "filtered"), stale - timedelta(days=rng.randint(0, 400))
        entry = Contact(
            epost=email,
            epost_oppdatert=first,
            epost_verifisert=stale if old else fresh,
            mobil=mobile,
            mobil_oppdatert=first if rng.random() < 0.5 or old else fresh,
            mobil_verifisert=stale if old or state == "mixed" else fresh,
            can_be_notified=not old,
            spraak=rng.choice(("nb", "nb", "nb", "nn", "en", "se")),
            epost_duplisert=rng.random() < 0.02,
        )
        if state == "mixed":
            entry.mobil_oppdatert = first
        if state in ("only_mobile", "filtered", "deleted"):
            entry.epost = entry.epost_oppdatert = entry.epost_verifisert = None
        if state in ("only_email", "filtered", "deleted"):
            entry.mobil = entry.mobil_oppdatert = entry.mobil_verifisert = None
        if state == "reserved":
            entry.reserved, entry.can_be_notified = fresh, False
        if state == "deleted":
            entry.status, entry.can_be_notified = "SLETTET", False
        return entry

    # -- families ------------------------------------------------------------------------------------------------

    def birthday(self, rng: Random, level: int) -> date:
        """Return a birthday of a pupil of this year level."""
        return date(self.year - 5 - level, rng.randint(1, 12), rng.randint(1, 28))

    def next_family(self) -> Random:
        """Return the next family's random generator."""
        self._families += 1
        return self.random("family", self._families)

    def child(
        self,
        rng: Random,
        seat: tuple[School, int, str],
        *,
        born: date | None = None,
        canary: bool = False,
        **fields: object,
    ) -> Pupil:
        """Make a pupil in FREG and in the SAS."""
        school, level, letter = seat
        person = self.person(rng, "pupil", born=born or self.birthday(rng, level), canary=canary, **fields)  # type: ignore[arg-type]
        return self.enrol(rng, person, school, level, letter)

    def enrol(self, rng: Random, person: Person, school: School, level: int, letter: str | None) -> Pupil:
        """Put a person into the SAS as a pupil."""
        self._pupils += 1
        serial = self._pupils
        words = person.canary
        username = words.word("sas.username", "bruker").lower() if words else self.username(person.given, person.family)
        email = words.word("sas.email", "sasepost").lower() if words else username
        mobile = words.digits("sas.mobile", "+479012") if words else self.mobile() if level >= 5 else None
        sas = SasPerson(
            words.word("sas.person_id", "Lokalid") if words else f"E{100000 + serial}",
            person.number,
            f"{person.given} {person.middle}" if person.middle else person.given,
            person.family,
            person.sex,
            person.born,
            username=username,
            email=f"{email}@elev.{self.kommune.domain}",
            mobile=mobile,
            pupil=True,
        )
        self.sas_address(sas, person)
        pupil = Pupil(person, sas, school, level, letter)
        self.world.pupils.append(pupil)
        return pupil

    def sas_address(self, sas: SasPerson, person: Person) -> None:
        """Return the person's address for the SAS, or a canary in its place."""
        if person.canary:
            sas.street = person.canary.word("sas.street", "sasgate") + " 1"
            sas.postcode, sas.place = self.kommune.postcode, self.kommune.place
        elif person.home and person.home.kind == "vegadresse":
            home = person.home
            sas.street = f"{home.adressenavn} {home.husnummer}{home.husbokstav or ''}"
            sas.postcode, sas.place = home.postnummer, home.poststedsnavn

    def relate(self, child: Person, adult: Person, role: str, ansvar: str | None) -> None:
        """Add a legal parent (``role`` mor, far or medmor; "" for none), with foreldreansvar or (None) without."""
        if role:
            child.parents.append((role, adult.number))
        if ansvar:
            child.responsibility.append(Responsibility(ansvar, adult.number))
        adult.children.append((child.number, role, ansvar))

    def marry(self, one: Person, other: Person) -> None:
        """Make the two married."""
        one.married_to, other.married_to = other.number, one.number

    def sas_guardian(self, pupil: Pupil, adult: Person, *, with_number: bool = True, email: str | None = None) -> None:
        """Enter this adult as the pupil's guardian, as a person at the school would."""
        if adult.number not in self.world.sas_ids:
            words = adult.canary
            person_id = words.word("sas.person_id", "Lokalid") if words else f"F{100001 + self._guardians}"
            self._guardians += 1
            epost = email or (adult.contact.epost if adult.contact and adult.contact.epost else None)
            mobil = adult.contact.mobil if adult.contact else None
            if words:
                epost = words.word("sas.email", "sasepost").lower() + "@example.com"
                mobil = words.digits("sas.mobile", "+479012")
            sas = SasPerson(
                person_id,
                adult.number if with_number else None,
                f"{adult.given} {adult.middle}" if adult.middle else adult.given,
                adult.family,
                adult.sex,
                adult.born if with_number else None,
                email=epost,
                mobile=mobil,
            )
            self.sas_address(sas, adult)
            self.world.sas_guardians[person_id] = sas
            self.world.sas_ids[adult.number] = person_id
        if self.world.sas_ids[adult.number] not in pupil.sas.guardians:
            pupil.sas.guardians.append(self.world.sas_ids[adult.number])

    def fill(self) -> None:
        """Make ordinary families until every seat is taken."""
        kinds = {"felles": 62, "apart": 14, "two_records": 5, "mor": 12, "far": 3, "medmor": 4}
        while self.seats:
            rng = self.next_family()
            kind = rng.choices(list(kinds), list(kinds.values()))[0]
            seats = [self.seat()]
            for _ in range(rng.choices((0, 1, 2), (55, 35, 10))[0]):
                more = next(
                    (i for i, seat in enumerate(self.seats) if all(seat[1] != taken[1] for taken in seats)), None
                )
                if more is not None:
                    seats.append(self.seats.pop(more))
            self.family(rng, kind, seats)

    def family(self, rng: Random, kind: str, seats: list[tuple[School, int, str]]) -> list[Pupil]:
        """Make an ordinary family with a child on each seat.

        ``kind``: felles (together, two ``felles``), apart (two ``felles``, father elsewhere), two_records (``mor`` and
        ``far``), mor, far (the other parent known, without foreldreansvar), medmor (``mor`` and ``medmor``).
        """
        name, home = rng.choice(names.NOUNS), self.dwelling(rng)
        children = [self.child(rng, seat, home=home, family=name) for seat in seats]
        oldest = min(pupil.person.born for pupil in children if pupil.person)
        mother = self.adult(rng, "guardian", oldest, sex="kvinne", home=home)
        other_sex = "kvinne" if kind == "medmor" else "mann"
        elsewhere = self.dwelling(rng) if kind in ("apart", "mor", "far") else home
        father = self.adult(rng, "guardian", oldest, sex=other_sex, family=name, home=elsewhere)
        if elsewhere is home:
            self.marry(mother, father)
        records = {
            "mor": ("mor", None),
            "far": (None, "far"),
            "two_records": ("mor", "far"),
            "medmor": ("mor", "medmor"),
        }
        first, second = records.get(kind, ("felles", "felles"))
        for pupil in children:
            child = pupil.person
            assert child is not None  # noqa: S101
            child.names_itself = rng.random() < 0.8
            if kind == "far":
                child.home = elsewhere
                self.sas_address(pupil.sas, child)
            if kind == "apart" and "parents_apart" not in child.cases:
                child.cases.append("parents_apart")
            self.relate(child, mother, "mor", first)
            self.relate(child, father, "medmor" if kind == "medmor" else "far", second)
            for adult, ansvar in ((mother, first), (father, second)):
                if ansvar:
                    self.sas_guardian(pupil, adult, with_number=rng.random() < 0.9)
        if not first:
            mother.roles = ["parent"]
        if not second:
            father.roles = ["parent"]
        return children

    # -- staff ---------------------------------------------------------------------------------------------------

    def employee(
        self,
        rng: Random,
        positions: list[Position],
        *,
        in_sas: bool = True,
        given: str | None = None,
        family: str | None = None,
        person: Person | None = None,
        cases: tuple[str, ...] = (),
    ) -> Employee:
        """Make an employee of the kommune."""
        if person is None:
            born = date(self.year - rng.randint(25, 64), rng.randint(1, 12), rng.randint(1, 28))
            person = self.person(rng, "employee", born=born, given=given, family=family, home=self.dwelling(rng))
            person.contact = self.contact_of(rng, person, "any")
        else:
            person.roles.append("employee")
        employee_id = str(50_000 + 3 * self._employees + 1)
        self._employees += 1
        username = self.username(person.given, person.family)
        email = (
            f"{person.given}.{person.family}.{employee_id}".translate(_ASCII).lower().replace(" ", "-")
            + f"@{self.kommune.domain}"
        )
        employee = Employee(employee_id, person, email, self.mobile(), username, positions, cases=list(cases))
        employee.seed = given is not None
        if in_sas:
            employee.sas = SasPerson(
                f"A{employee_id}",
                person.number,
                f"{person.given} {person.middle}" if person.middle else person.given,
                person.family,
                person.sex,
                person.born,
                username=username,
                workforce_id=employee_id,
                email=email,
            )
        self.world.employees.append(employee)
        return employee

    def position(
        self,
        name: str,
        unit: str,
        percentage: float = 100,
        *,
        main: bool = True,
        date_from: date | None = None,
        date_to: date = FOREVER,
        kind: str = "A",
    ) -> Position:
        """Make a position from a year or more before the school year, without end."""
        codes = {
            "Lærer": "796100",
            "Adjunkt": "796200",
            "Lektor": "796500",
            "Rektor": "795100",
            "Assistent": "657200",
            "Renholder": "601400",
        }
        start = date_from or date(self.year - 1 - len(self.world.employees) % 9, 8, 1)
        return Position(name, codes.get(name, "853000"), unit, percentage, main, start, date_to, kind)

    def staff(self) -> None:
        """Make teachers (one a class and two more), a head and an assistant a school; the seed's own people first."""
        known = {
            ("SKA", "6A"): ("Felicia", "Ansatt", "Lærer"),
            ("TE1", "9A"): ("Lisabeth", "Lærer", "Adjunkt"),
            ("TE1", "8A"): ("Lilly", "Lektor", "Lektor"),
        }
        for school in self.kommune.schools:
            rng = self.random("staff", school.key)
            head = ("Lars", "Leder") if school.key == "SKA" else (None, None)
            self.heads[school.key] = self.employee(
                rng, [self.position("Rektor", school.unit)], given=head[0], family=head[1]
            )
            pool = self.teachers.setdefault(school.key, [])
            for label in [f"{level}{letter}" for level, letter in school.classes] + ["", ""]:
                given, family, title = known.get(
                    (school.key, label), (None, None, rng.choice(("Lærer", "Adjunkt", "Lektor")))
                )
                percentage = 100 if given else rng.choice((100, 100, 80, 60))
                pool.append(
                    self.employee(rng, [self.position(title, school.unit, percentage)], given=given, family=family)
                )
                if given == "Lilly":
                    self.lilly = pool[-1]
            helper = ("Astrid", "Assistent") if school.key == "SKA" else (None, None)
            self.assistants[school.key] = [
                self.employee(rng, [self.position("Assistent", school.unit, 75)], given=helper[0], family=helper[1])
            ]

    # -- groups --------------------------------------------------------------------------------------------------

    def make_groups(self) -> None:
        """Make year levels, classes, contact-teacher groups, subject groups with timetables, the pupils' council."""
        self._of_class: dict[tuple[str, int, str | None], list[Pupil]] = defaultdict(list)
        self._of_level: dict[tuple[str, int], list[Pupil]] = defaultdict(list)
        self._guests: dict[tuple[str, int], list[Pupil]] = defaultdict(list)
        for pupil in self.world.pupils:
            self._of_class[pupil.school.key, pupil.level, pupil.letter].append(pupil)
            self._of_level[pupil.school.key, pupil.level].append(pupil)
            if pupil.second_school:
                self._of_level[pupil.second_school.key, pupil.level].append(pupil)
                self._guests[pupil.second_school.key, pupil.level].append(pupil)
        for school in self.kommune.schools:
            for level in sorted({level for level, _ in school.classes}):
                self._level_group(school, level)
            for index, (level, letter) in enumerate(school.classes):
                self._class_groups(school, level, letter, index)
            council = self._group(
                school, f"{school.key}/elevråd", ("11", "elevråd"), "Elevråd", f"Elevrådet ved {school.name}"
            )
            council.members = [
                Member(pupils[0].sas.person_id, "01")
                for level, letter in school.classes
                if (pupils := self._of_class[school.key, level, letter])
            ] + [Member(self._sas_id(self.heads[school.key]), "05")]

    def _group(
        self, school: School, local: str, kind: tuple[str, str], short: str, long: str, **fields: object
    ) -> Group:
        group = Group(f"{local}/{self.year}", school, kind, short, long, **fields)  # type: ignore[arg-type]
        self.world.groups.append(group)
        return group

    def _sas_id(self, employee: Employee) -> str:
        assert employee.sas is not None  # noqa: S101
        return employee.sas.person_id

    def _level_group(self, school: School, level: int) -> None:
        uri = f"http://psi.udir.no/laereplan/aarstrinn/aarstrinn{level}"
        group = self._group(
            school, f"{school.key}/trinn{level}", ("4", "trinn"), str(level), f"{level}. trinn",
            grep_short=f"{level}. årstrinn", grep_uri=uri, level=level, dated=False,
        )  # fmt: skip
        group.members = [Member(pupil.sas.person_id, "01") for pupil in self._of_level[school.key, level]]

    def _class_groups(self, school: School, level: int, letter: str, index: int) -> None:
        label, pool = f"{level}{letter}", self.teachers[school.key]
        pupils = [Member(pupil.sas.person_id, "01") for pupil in self._of_class[school.key, level, letter]]
        contact = pool[index]
        base = self._group(
            school, f"{school.key}/{label}", ("1", "basisgruppe"), label, f"Klasse {label}", level=level, klass=label
        )
        base.members = [Member(self._sas_id(contact), "06"), *pupils]
        name = f"{contact.person.given} {contact.person.family}"
        mentor = self._group(
            school,
            f"{school.key}/kontakt-{label}",
            ("3", "kontaktlærergruppe"),
            f"Kontaktlærer {label}",
            f"Kontaktlærergruppe for {name}",
            klass=label,
        )
        mentor.members = [Member(self._sas_id(contact), "06"), *pupils]
        subjects: list[tuple[str, str, str | None]] = list(SUBJECTS)
        if level in (4, 6):
            subjects.append(("SVØ", "Svømming", None))
        if level >= 8:
            subjects.append(("UTD", "Utdanningsvalg", None))
        groups: dict[str, Group] = {}
        for offset, (short, long, code) in enumerate(subjects):
            group = self._group(
                school,
                f"{school.key}/{short}-{label}",
                ("2", "undervisningsgruppe"),
                f"{short} {long} {label}" if level >= 8 else f"{long} {label}",
                f"{long} {label}",
                grep_short=code,
                level=level,
                klass=label,
            )
            teacher = pool[index] if level < 8 and offset % 3 else pool[(index + offset) % len(pool)]
            if (school.key, level) == ("TE1", 8) and (short in ("NOR", "SAM") or (short, letter) == ("UTD", "A")):
                teacher = pool[0]  # Lilly Lektor: her week is exactly as on the seed's picture
            elif teacher is self.lilly:
                teacher = pool[-1]
            subrole = "faglærer" if level >= 8 else None
            guests = self._guests[school.key, level] if (short, letter) == ("MAT", "A") else []
            visiting = [Member(guest.sas.person_id, "01") for guest in guests]
            group.members = [Member(self._sas_id(teacher), "02", subrole=subrole), *pupils, *visiting]
            groups[short] = group
        self._timetable(school, level, letter, groups)

    def _timetable(self, school: School, level: int, letter: str, groups: dict[str, Group]) -> None:
        """Make lessons for a class. 6A at Skåredalen has none, no class has swimming, and 8A and 8B have the seed's."""
        if (school.key, level) == ("SKA", 6):
            return
        taken: set[tuple[int, int]] = set()
        room = f"{school.key}-{level}{letter}"
        if (school.key, level) == ("TE1", 8):
            for short, klasse, weekday, slot in LILLYS_WEEK:
                taken.add((weekday, slot))
                if klasse == letter:
                    groups[short].lessons.append((weekday, slot, room))
        lesson = 0
        shorts = [
            short
            for short in groups
            if short != "SVØ" and not ((school.key, level) == ("TE1", 8) and groups[short].lessons)
        ]
        for weekday in range(1, 6):
            for slot in range(6 if level >= 5 else 5):
                if (weekday, slot) not in taken:
                    groups[shorts[lesson % len(shorts)]].lessons.append((weekday, slot, room))
                    lesson += 1

    def finish(self) -> World:
        """Return the world, indexed."""
        for person in self.world.persons.values():
            self.register(person)
        self.finished = True
        return self.world

    def spare_number(self, born: date, sex: str, start: int, **kind: object) -> str:
        """Make a number that nobody has."""
        return self._issuer.issue(born, sex, start, **kind)  # type: ignore[arg-type]


LILLYS_WEEK = (
    ("NOR", "A", 2, 0), ("NOR", "B", 3, 0), ("NOR", "A", 4, 0), ("NOR", "A", 5, 0),
    ("SAM", "A", 2, 1), ("NOR", "B", 3, 1), ("NOR", "A", 4, 1), ("SAM", "B", 5, 1),
    ("NOR", "B", 2, 2), ("SAM", "B", 4, 2), ("SAM", "A", 5, 2),
    ("SAM", "B", 5, 3),
    ("SAM", "A", 4, 4), ("NOR", "B", 5, 4),
    ("SAM", "A", 3, 5), ("UTD", "A", 5, 5),
)  # fmt: skip
"""Subject, class, weekday, slot (0 is 8:30): the seed's picture. The classes' social studies lessons are made up."""
