"""When tries are withdrawn: the rule alone, with a clock of the test's own."""

from gateway.budget import FEWEST, WINDOW_S, WITHDRAWN_S, TryBudget


def spend(budget, at, requests, each=1, service="shop"):
    for _ in range(requests):
        budget.note(service, each, at)


def test_one_of_three_that_hangs_at_a_low_rate_is_within_the_budget():
    budget = TryBudget()
    spend(budget, 100, 40, each=0)
    spend(budget, 101, FEWEST - 1)
    assert budget.withdrawn(101) == set()


def test_when_most_tries_run_out_they_are_withdrawn_from_this_service_for_a_while():
    budget = TryBudget()
    spend(budget, 100, 10 * FEWEST, each=0, service="other")
    spend(budget, 100, FEWEST)
    assert budget.withdrawn(100) == {"shop"}
    assert budget.withdrawn(100 + WITHDRAWN_S - 1) == {"shop"}
    assert budget.withdrawn(100 + WITHDRAWN_S) == set()


def test_without_a_budget_tries_are_never_withdrawn():
    budget = TryBudget(share=0)
    spend(budget, 100, 10 * FEWEST, each=2)
    assert budget.withdrawn(100) == set()


def test_many_tries_among_very_many_requests_are_within_the_budget():
    budget = TryBudget()
    spend(budget, 100, 6 * FEWEST, each=0)
    spend(budget, 100, FEWEST)
    assert budget.withdrawn(100) == set()


def test_what_was_long_ago_does_not_count():
    budget = TryBudget()
    spend(budget, 100, FEWEST - 1)
    spend(budget, 100 + WINDOW_S + 1, FEWEST - 1)
    assert budget.withdrawn(100 + WINDOW_S + 1) == set()
