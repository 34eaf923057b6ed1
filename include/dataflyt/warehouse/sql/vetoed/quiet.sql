-- needs: {p}veto
-- grain: one row a child and an adult
-- columns: child text, adult text
-- makes: view
-- Access by consent that has fallen because of protection. Only readers who may see protection are told.
select distinct person_id::text as child, adult
from {p}veto where kind = 'access_ended' and cause = 'consent_protected'
