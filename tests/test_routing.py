"""What a route leads to, held against Django's own resolver."""

from __future__ import annotations

import asyncio

import pytest
from django.urls import Resolver404, include, path, re_path, register_converter
from django.urls.resolvers import RegexPattern, RoutePattern, URLPattern, URLResolver
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aaah_core import (
    AsyncActionHandler,
    AsyncAPIConsumer,
    Call,
    ConfigurationError,
    Match,
    Table,
    describe,
)
from aaah_core.defaults.routes import aaah_route_resolver
from aaah_core.testing import connect
from tests.conftest import action, consumer


class Even:
    regex = "[0-9]+"

    def to_python(self, value):
        if int(value) % 2:
            raise ValueError("odd")
        return int(value)

    def to_url(self, value):
        return str(value)


register_converter(Even, "even")


def leaf(*routepatterns):
    """Return a handler class of its own."""
    return type("Leaf", (AsyncActionHandler,), {"routepatterns": routepatterns})


def to(text, handler_class=None, **extra):
    return path(text, (handler_class or leaf()).as_aaah(), extra)


def re_to(text, handler_class=None, **extra):
    return re_path(text, (handler_class or leaf()).as_aaah(), extra)


def find(patterns, route):
    return Table(AsyncAPIConsumer, patterns)(route, Call("any", route))


def values(patterns, route):
    match = find(patterns, route)
    return None if match is None else (match.args, dict(match.kwargs), match.rest)


# Against Django.


class Noting:
    """A pattern of Django's that notes what it left of the route."""

    def match(self, route):
        found = super().match(route)
        if found is not None:
            self.rest = found[0]
        return found


class NotingRoute(Noting, RoutePattern):
    pass


class NotingRegex(Noting, RegexPattern):
    pass


class Entry:
    """One entry of a table: as one writes it, and as Django is to see it."""

    def __init__(self, pieces, regex, flags, extra, below):
        self.flags = flags if regex else ""
        self.text = "".join(piece.replace("@", str(i)) for i, piece in enumerate(pieces))
        self.regex, self.extra, self.below = regex, extra, below
        self.handler_class = leaf(*([to("")] if below == "own routes" else []))

    def written(self):
        make = re_path if self.regex else path
        if isinstance(self.below, list):
            view = include([entry.written() for entry in self.below])
        else:
            view = self.handler_class.as_aaah()
        return make(self.flags + self.text, view, self.extra)

    def anchored(self):
        """Return the entry for Django's resolver, which anchors a `re_path` at neither end."""
        if isinstance(self.below, list):
            below = include([entry.anchored() for entry in self.below])
            if self.regex:
                return re_path(f"{self.flags}^(?:{self.text})", below, self.extra)
            return path(self.text, below, self.extra)
        whole = self.below != "own routes"
        if self.regex:
            end = "$" if whole else ""
            pattern = NotingRegex(f"{self.flags}^(?:{self.text}){end}", is_endpoint=whole)
        else:
            pattern = NotingRoute(self.text, is_endpoint=whole)
        view = self.handler_class.as_aaah()
        view.pattern = pattern
        return URLPattern(pattern, view, self.extra)


def pieces(*choices):
    return st.lists(st.sampled_from(choices), max_size=4)


LITERAL = ("a", "b", "/", "a/", "b/", "a.")
ROUTES = pieces(*LITERAL, "<int:n@>", "<s@>", "<even:e@>/", "<path:p@>", "<even:e>", "<e>/")
REGEXES = pieces(
    *("a", "b", "/", "a/", "b/", r"\.", "a?", "b*", "/?", "a{2}", "(a|b)", r"(\d+)/", "(b)?", "."),
    *(r"(?P<x@>\d+)/", "(?P<x>[ab])", "(?P<o@>b)?/", "(?:a|b)", "[ab]", "(?=a)", "(?!b)", r"\d"),
    *("|", "^", "$", r"\Z"),
)
EXTRA = st.sampled_from([{}, {}, {}, {"x": "extra"}, {"more": 1}])


def entries(below):
    shapes = st.one_of(
        st.tuples(ROUTES, st.just(False)),
        # With one name twice, a regular expression is none.
        st.tuples(REGEXES.filter(lambda some: some.count("(?P<x>[ab])") < 2), st.just(True)),
    ).filter(lambda shape: sum("e>" in piece for piece in shape[0]) < 2)
    flags = st.sampled_from(["", "", "(?i)", "(?s)"])
    return st.builds(lambda shape, *rest: Entry(*shape, *rest), shapes, flags, EXTRA, below)


LEAVES = entries(st.sampled_from(["action", "action", "own routes"]))
TABLES = st.lists(
    st.recursive(LEAVES, lambda inner: entries(st.lists(inner, max_size=3)), max_leaves=5),
    min_size=1,
    max_size=6,
)
TEXTS = st.lists(st.sampled_from(["a", "b", "/", "a/", "b/", "1", "12/", ".", "A", "aa", "\n"]))


def naive(table, route):
    """Return what Django makes of the route: it tries one pattern after another."""
    resolver = URLResolver(RegexPattern(""), [entry.anchored() for entry in table])
    try:
        found = resolver.resolve(route)
    except Resolver404:
        return None
    rest = found.func.pattern.rest if found.func.handler_class.routepatterns else ""
    return Match(found.func.handler_class, found.args, found.kwargs, rest)


def assert_as_django(table, routes):
    resolve = Table(AsyncAPIConsumer, [entry.written() for entry in table])
    for route in routes:
        assert resolve(route, Call("any", route)) == naive(table, route), route


tables_and_routes = given(table=TABLES, routes=st.lists(TEXTS.map("".join), min_size=1, max_size=6))


@settings(deadline=None, max_examples=300)
@tables_and_routes
@example(  # what an include() is given drops what it captured without a name
    table=[Entry([r"(\d+)/"], True, "", {"more": 1}, [Entry(["a"], False, "", {}, "action")])],
    routes=["12/a"],
)
@example(
    table=[Entry([r"(\d+)/"], True, "", {}, [Entry([r"(\d+)"], True, "", {"x": 1}, "action")])],
    routes=["12/3"],
)
@example(  # an exact pattern and one that takes the rest, in both orders
    table=[
        Entry(["a/"], False, "", {}, "own routes"),
        Entry(["a/", "b"], False, "", {}, "action"),
        Entry(["b"], False, "", {}, "action"),
        Entry(["b"], False, "", {}, "own routes"),
    ],
    routes=["a/b", "a/", "a", "b", "ba"],
)
def test_a_route_leads_where_a_scan_of_djangos_patterns_leads(table, routes):
    assert_as_django(table, routes)


@pytest.mark.programme(seconds=50)
@settings(deadline=None, max_examples=2_000)
@tables_and_routes
def test_routes_of_2000_tables_lead_where_a_scan_of_djangos_patterns_leads(table, routes):
    assert_as_django(table, routes)


# In words.


def test_a_pattern_matches_from_the_start_of_the_route_to_its_end():
    patterns = [re_to("books/"), to("pages/")]
    assert values(patterns, "books/") == values(patterns, "pages/") == ((), {}, "")
    for route in ("my/books/", "books/5/", "books/\n", "pages/\n", "pages", " pages/"):
        assert find(patterns, route) is None


def test_the_first_pattern_that_matches_wins():
    first, second = leaf(), leaf()
    assert find([to("a/", first), to("a/", second)], "a/").handler_class is first
    assert find([to("<name>/", first), to("a/", second)], "a/").handler_class is first
    assert find([to("a/", second), to("<name>/", first)], "a/").handler_class is second


def test_a_converter_that_refuses_is_no_match_and_the_next_pattern_is_tried():
    patterns = [to("<even:n>/"), to("<int:n>/", None, odd=True)]
    assert values(patterns, "4/") == ((), {"n": 4}, "")
    assert values(patterns, "5/") == ((), {"n": 5, "odd": True}, "")
    assert values(patterns[:1], "5/") is None


def test_a_converter_of_an_include_refuses_too():
    patterns = [path("<even:n>/", include([to("a/")])), to("<path:all>")]
    assert values(patterns, "4/a/") == ((), {"n": 4}, "")
    assert values(patterns, "5/a/") == ((), {"all": "5/a/"}, "")


def test_unnamed_groups_are_args_and_names_drop_them():
    inner = [re_to(r"(\d+)/")]
    assert values([re_path(r"(\w)/", include(inner))], "a/5/") == (("a", "5"), {}, "")
    assert values([re_path(r"(?P<x>\w)/", include(inner))], "a/5/") == (("5",), {"x": "a"}, "")
    assert values([re_to(r"(\w)/(?P<x>\d)")], "a/5") == ((), {"x": "5"}, "")


def test_an_optional_group_that_captured_nothing_is_left_out():
    patterns = [re_to(r"shelf/(?:(?P<name>\w+)/)?")]
    assert values(patterns, "shelf/") == ((), {}, "")
    assert values(patterns, "shelf/new/") == ((), {"name": "new"}, "")
    assert values([re_to(r"shelf/(\w)?")], "shelf/") == ((None,), {}, "")


def test_extra_values_win_over_what_was_captured_and_the_inner_over_the_outer():
    assert values([to("<x>/", None, x=1)], "a/") == ((), {"x": 1}, "")
    patterns = [path("<x>/", include([to("<y>/", None, y=2), to("<x>/b/")]), {"y": 1, "z": 1})]
    assert values(patterns, "a/b/") == ((), {"x": "a", "y": 2, "z": 1}, "")
    assert values(patterns, "a/c/b/") == ((), {"x": "c", "y": 1, "z": 1}, "")


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("^books/$", "books/", "^books/"),
        (r"^books/\Z", "books/", "books/ "),
        ("books/(a|b)/", "books/b/", "books/c/"),
        ("books/|pages/", "pages/", "books/pages/"),
        ("(?i)books/", "BOOKS/", "B00KS/"),
        ("books/(?i:new)/", "books/NEW/", "BOOKS/new/"),
        ("(?=b)[a-z]+/", "books/", "pages/"),
        ("books/?", "books", "books//"),
        ("colou?r/", "color/", "colouur/"),
        ("books/*", "books///", "books/a"),
        ("books/{2}", "books//", "books/"),
        (r"v1\.0/", "v1.0/", "v1x0/"),
        ("v1.0/", "v1x0/", "v10/"),
        ("books/(?#or none)?", "books", "book"),
        ("", "", "a"),
    ],
)
def test_what_a_regular_expression_can_say_is_understood(text, matching, other):
    # The decoys have the table look for literal beginnings.
    patterns = [to("decoy/"), to("books/decoy/"), re_to(text)]
    match = find(patterns, matching)
    assert match is not None
    assert match.handler_class is patterns[2].callback.handler_class
    assert find(patterns, other) is None


def test_a_handler_with_routes_of_its_own_takes_the_rest_and_what_it_captured():
    own = leaf(to("x/"))
    assert values([to("<int:n>/", own)], "5/x/y") == ((), {"n": 5}, "x/y")
    assert values([re_to(r"^(\d)/", own)], "5/x/y") == (("5",), {}, "x/y")
    assert values([to("a", own)], "abc") == ((), {}, "bc")


def test_a_translated_or_lazy_pattern_is_read_as_text():
    from django.utils.translation import gettext_lazy

    assert values([path(gettext_lazy("books/"), leaf().as_aaah())], "books/") == ((), {}, "")


# What it costs.


class Counted:
    """A regular expression that counts its tries."""

    def __init__(self, regex, tries):
        self.groupindex = regex.groupindex
        self.match = self._counting(regex.match, tries)
        self.fullmatch = self._counting(regex.fullmatch, tries)

    def _counting(self, matches, tries):
        def counting(route):
            tries.append(route)
            return matches(route)

        return counting


def counted(entry, tries):
    for each in getattr(entry, "url_patterns", ()):
        counted(each, tries)
    pattern = entry.pattern
    vars(pattern)["regex"] = Counted(pattern.regex, tries)
    return entry


MANY = {
    "literal": (lambda i: to(f"r{i}/"), "r{}/"),
    "a converter": (lambda i: to(f"r{i}/<int:pk>/"), "r{}/5/"),
    "a regular expression": (lambda i: re_to(rf"^r{i}/(?P<pk>\d+)/$"), "r{}/5/"),
    "deep": (lambda i: to(f"api/v1/r{i}/x/<int:pk>/"), "api/v1/r{}/x/5/"),
    "no slash": (lambda i: to(f"r{i}"), "r{}"),
    "an include": (lambda i: path(f"r{i}/", include([to("a/<int:pk>/")])), "r{}/a/5/"),
}


@pytest.mark.parametrize("make", MANY)
def test_the_last_of_a_thousand_costs_as_many_tries_as_the_only_one(make):
    entry, route = MANY[make]

    def cost(size):
        tries = []
        entries = [counted(entry(i), tries) for i in range(size)]
        table = Table(AsyncAPIConsumer, entries)
        match = table(route.format(size - 1), Call("any"))
        last = entries[-1]
        view = last.url_patterns[0].callback if hasattr(last, "url_patterns") else last.callback
        assert match.handler_class is view.handler_class
        return len(tries)

    assert cost(1000) <= cost(1) <= 2


def test_a_route_that_leads_nowhere_costs_little_too():
    tries = []
    entries = [counted(to(f"r{i}/<int:pk>/"), tries) for i in range(1000)]
    table = Table(AsyncAPIConsumer, entries)
    for route in ("x", "r5", "r5/x/", "r5/5/5/", "/", "r1000/5/"):
        assert table(route, Call("any")) is None
    assert len(tries) <= 6


# What is refused.


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            path("x/", AsyncActionHandler),
            r"Chat\.routepatterns: 'x/' leads to <class .*Handler'>.* SomeHandler\.as_aaah\(\)",
        ),
        (re_path("^x/$", lambda request: None), r"'\^x/\$' leads to <function .*as_aaah\(\)"),
        (leaf().as_aaah(), r"Chat\.routepatterns has <function .*, which is no pattern\. .*path\("),
        (leaf(), r"Chat\.routepatterns has <class .*, which is no pattern"),
        (("x/", leaf()), r"Chat\.routepatterns has \('x/', <class .*, which is no pattern"),
        (path("a/", include([path("x/", AsyncActionHandler)])), r"'x/' leads to <class"),
    ],
)
def test_what_leads_to_no_handler_is_refused_at_start_and_named(core, entry, said):
    with pytest.raises(ConfigurationError, match=said):
        consumer(routepatterns=[entry]).as_asgi()


def test_the_default_plugin_has_no_resolver_for_a_handler_without_routes():
    assert aaah_route_resolver(leaf()) is None
    assert aaah_route_resolver(leaf(to("a/"))).routes[0][0] == "a/"


# On a connection.


async def where(self, *args):
    return [type(self).__name__, list(self.args), dict(self.kwargs)]


where = action(where)


class Inner(AsyncActionHandler):
    where = where


class Outer(AsyncActionHandler):
    where = where
    routepatterns = [to("inner/<int:b>/", Inner), re_to(r"(\w)/(\w)/", Inner)]


class Sibling(AsyncActionHandler):
    where = where


class Site(AsyncAPIConsumer):
    where = where
    routepatterns = [
        to("outer/<a>/", Outer),
        to("outer/x/sibling/", Sibling),
        path("api/", include([to("", Sibling), re_to(r"(?P<n>\d+)/", Outer, kind="n")])),
    ]


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("", ["Site", [], {}]),
        ("?page=2", ["Site", [], {}]),
        ("outer/x/", ["Outer", [], {"a": "x"}]),
        ("outer/x/?page=2&a=?", ["Outer", [], {"a": "x"}]),
        ("outer/x/inner/5/", ["Inner", [], {"a": "x", "b": 5}]),
        ("outer/x/y/z/", ["Inner", ["y", "z"], {"a": "x"}]),
        ("api/", ["Sibling", [], {}]),
        ("api/7/inner/5/", ["Inner", [], {"n": "7", "kind": "n", "b": 5}]),
    ],
)
async def test_a_route_leads_through_handlers_to_the_innermost(route, expected):
    async with connect(Site.as_asgi()) as client:
        reply = await client.call("where", route)
    assert (reply["status"], reply["data"], reply["route"]) == (200, expected, route)


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    "route", ["nowhere/", "outer/x/nowhere/", "outer/x/sibling/", "outer/x/inner/x/", "api", "/"]
)
async def test_a_rest_that_matches_nothing_is_404_and_nobody_elses(route):
    async with connect(Site.as_asgi()) as client:
        reply = await client.call("where", route)
    assert (reply["status"], reply["data"], reply["route"]) == (404, None, route)
    assert reply["errors"][0]["code"] == "not_found"


@pytest.mark.usefixtures("core")
def test_the_routes_of_a_table_are_described_as_they_were_written():
    routes = [
        (each["route"], each["handler"].rpartition(".")[2]) for each in describe(Site)["routes"]
    ]
    assert routes == [
        ("", "Site"),
        ("outer/<a>/", "Outer"),
        ("outer/<a>/inner/<int:b>/", "Inner"),
        (r"outer/<a>/(\w)/(\w)/", "Inner"),
        ("outer/x/sibling/", "Sibling"),
        ("api/", "Sibling"),
        (r"api/(?P<n>\d+)/", "Outer"),
        (r"api/(?P<n>\d+)/inner/<int:b>/", "Inner"),
        (r"api/(?P<n>\d+)/(\w)/(\w)/", "Inner"),
    ]


@pytest.mark.usefixtures("core")
async def test_calls_that_run_at_once_keep_their_own_values():
    both = asyncio.Barrier(2)

    @action
    async def meet(self):
        await both.wait()
        return dict(self.kwargs)

    handler_class = type("Meet", (AsyncActionHandler,), {"meet": meet})
    chat = consumer(routepatterns=[to("<int:n>/", handler_class)], concurrency=2)
    async with connect(chat.as_asgi()) as client:
        for n in (1, 2):
            await client.send({"action": "meet", "route": f"{n}/", "request_id": n})
        replies = [await client.receive() for _ in range(2)]
    assert {each["request_id"]: each["data"] for each in replies} == {1: {"n": 1}, 2: {"n": 2}}
