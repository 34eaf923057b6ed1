"""The pages, a module each: ``router`` with its routes, and ``TAB``, its place in a kommune's menu (None: it has none).

Every route depends on ``LoggedIn``, or on ``Visiting`` where it is a kommune's; every POST on ``FromOurForm`` too.
"""

from dataflyt_web.pages import decisions, kommune, overview, person, plan, privacy, quality, runs, why, worklist

PAGES = (overview, runs, kommune, plan, why, person, worklist, quality, decisions, privacy)
"""The pages in the order of the menu. A new page is a module here, a template, and its name in this line."""
