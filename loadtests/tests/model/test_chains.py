import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.model.chains import first_passage_s, stationary
from loadtests.tests.model.steady import steady

RATES = st.lists(st.floats(0.01, 100), min_size=1, max_size=8)


def generator(up, down):
    """The matrix of a chain's rates: what leaves a state stands, negative, on its diagonal."""
    size = len(up) + 1
    matrix = np.zeros((size, size))
    for state in range(size - 1):
        matrix[state, state + 1], matrix[state + 1, state] = up[state], down[state]
    return matrix - np.diag(matrix.sum(axis=1))


@steady
@given(RATES, st.floats(0.01, 100))
def test_the_shares_solve_the_balance_equations(up, down):
    shares = np.array(stationary(up, [down] * len(up)))
    assert shares.sum() == pytest.approx(1)
    balance = shares @ generator(up, [down] * len(up))
    assert np.abs(balance).max() < 1e-9 * max(*up, down)


@steady
@given(RATES, st.floats(0.01, 100))
def test_the_first_passage_is_that_of_the_linear_equations(up, down):
    rates = generator(up, [down] * len(up))[:-1, :-1]  # the last state ends it
    expected = np.linalg.solve(-rates, np.ones(len(up)))[0]
    assert first_passage_s(up, [down] * (len(up) - 1)) == pytest.approx(expected, rel=1e-6)


def test_a_thousand_states_neither_over_nor_underflow():
    shares = stationary([1000.0] * 1000, [1.0] * 1000)
    assert shares[-1] == pytest.approx(0.999)
    assert sum(shares) == pytest.approx(1)


def test_rates_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="as many rates up as down"):
        stationary([1, 1], [1])
    with pytest.raises(ValueError, match=r"down\[0\]"):
        stationary([1], [0])
    with pytest.raises(ValueError, match="one rate up more"):
        first_passage_s([1], [1])
