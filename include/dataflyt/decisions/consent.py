"""Consents to a grant: who must have given one, and taking one back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, ClassVar, Literal, cast
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import text

from dataflyt.decisions.adults import Adult, persons
from dataflyt.decisions.decision import Decision, Moment, NotAllowed


class Given(BaseModel):
    """One consent: who gave it, how (a form, a meeting), and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Adult
    how: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
    at: AwareDatetime


def required(moment: Moment, child: UUID) -> set[str]:
    """Return everybody whose consent is needed today for an adult's access to a child, as the warehouse writes them.

    These are everyone with foreldreansvar, whether they have access or not, and the pupil from 15; from 18 the pupil
    alone. A pupil of unknown age is counted with the guardians.

    Raises NotAllowed when FREG names nobody, or does not name everybody.
    """
    age = age_of(moment, child)
    if age == "of_age":
        return {str(child)}
    found = set(
        moment.connection.execute(
            text(
                "select adult from now_guardian_access where child_id = :child and basis = 'foreldreansvar' "
                "and state in ('active', 'suspended', 'blocked', 'unanswered')"
            ),
            {"child": child},
        ).scalars()
    )
    unnamed = moment.connection.scalar(
        text("select exists (select from now_work_item where kind = 'responsible_not_named' and subject = :child)"),
        {"child": str(child)},
    )
    if not found or unnamed:
        raise NotAllowed(
            "Folkeregisteret sier ikke hvem alle med foreldreansvar er: da kan ingen gi tilgang med samtykke."
        )
    return found if age == "young" else {*found, str(child)}


def age_of(moment: Moment, pupil: UUID) -> Literal["young", "fifteen", "of_age"] | None:
    """Return whether a pupil is below 15, below 18 or of age on the day in Norway; None for an unknown birth date."""
    found = moment.connection.scalar(
        text(
            "select case when cast(birth_date + interval '18 years' as date) <= :day then 'of_age' "
            "when cast(birth_date + interval '15 years' as date) <= :day then 'fifteen' "
            "when birth_date is not null then 'young' end from now_person where person_id = :pupil"
        ),
        {"day": moment.day, "pupil": pupil},
    )
    return cast("Literal['young', 'fifteen', 'of_age'] | None", found)


def demand_consents(moment: Moment, child: UUID, given: Iterable[Given]) -> None:
    """Demand a consent from everybody who must give one, from nobody else, and none from the future.

    Raises NotAllowed.
    """
    given = list(given)
    needed, by = required(moment, child), [one.by for one in given]
    now = moment.connection.scalar(text("select clock_timestamp()"))
    if any(one.at > now for one in given if isinstance(now, datetime)):
        raise NotAllowed("Et samtykke kan ikke være gitt i fremtiden: rett datoen.")
    if len(set(by)) < len(by):
        raise NotAllowed("Samme person står med to samtykker.")
    if set(by) - needed:
        raise NotAllowed("Bare de som har foreldreansvar i dag, og eleven selv fra 15 år, kan gi samtykke.")
    if needed - set(by):
        raise NotAllowed(
            "Det mangler samtykke: alle som har foreldreansvar i dag, må ha gitt det, og eleven selv fra 15 år. Fra "
            "18 år er det eleven alene."
        )
    if age_of(moment, child) == "of_age" and not _given_of_age(moment, child, given):
        raise NotAllowed("Samtykket er gitt før eleven fylte 18 år: eleven må gi det på nytt.")


def _given_of_age(moment: Moment, child: UUID, given: Iterable[Given]) -> bool:
    return all(
        moment.connection.scalar(
            text(
                "select (cast(:at as timestamptz) at time zone 'Europe/Oslo')::date "
                ">= cast(birth_date + interval '18 years' as date) from now_person where person_id = :child"
            ),
            {"at": one.at, "child": child},
        )
        for one in given
    )


class WithdrawConsent(Decision):
    """A consent taken back by one of those who gave it. The grant falls at once, for good."""

    kind: ClassVar[str] = "withdraw_consent"
    two_people: ClassVar[bool] = False

    grant: int
    by: Adult

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the child, the adult of the grant, and the one who takes the consent back."""
        row = moment.connection.execute(
            text("select child_id, adult from control.access_grant where owner = :owner and access_grant = :grant"),
            {"owner": moment.owner, "grant": self.grant},
        ).one_or_none()
        return {row.child_id} | persons([row.adult, self.by]) if row else ()

    def missing(self) -> str:
        """Return the sentence for a grant that does not exist."""
        return f"Tilgang {self.grant} finnes ikke, eller er trukket."

    def demand(self, moment: Moment) -> None:
        """Demand that the grant is in force, and that this person has consented to it under any id."""
        if not moment.connection.scalar(
            text(
                "select exists (select from control.access_grant where owner = :owner and access_grant = :grant "
                "and withdrawn_at is null)"
            ),
            {"owner": moment.owner, "grant": self.grant},
        ):
            raise NotAllowed(self.missing())
        if not self._consents(moment):
            raise NotAllowed(f"Den du har skrevet, har ikke gitt noe samtykke til tilgang {self.grant} som gjelder.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """End the consent."""
        moment.connection.execute(
            text(
                "update control.consent set withdrawn_at = clock_timestamp(), withdrawn_by = :by "
                "where owner = :owner and consent = any(:consents)"
            ),
            {"owner": moment.owner, "by": decided_by, "consents": self._consents(moment)},
        )
        return self.grant

    def _consents(self, moment: Moment) -> list[int]:
        return list(
            moment.connection.execute(
                text(
                    "select consent from control.consent where owner = :owner and access_grant = :grant "
                    "and withdrawn_at is null and (given_by = :by "
                    "or given_by in (select other_id::text from now_kin where person_id::text = :by))"
                ),
                {"owner": moment.owner, "grant": self.grant, "by": self.by},
            ).scalars()
        )
