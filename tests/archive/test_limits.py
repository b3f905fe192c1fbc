# SPDX-License-Identifier: MPL-2.0
"""The limits that all workers share, with an invented clock."""

import unittest

from archive.limits import Grant, Limits, Stop, Wait


class LimitsTest(unittest.TestCase):
    def test_sessions_at_once(self):
        limits = Limits(sessions=2)
        first = limits.acquire(0.0)
        self.assertIsInstance(first, Grant)
        self.assertIsInstance(limits.acquire(0.0), Grant)
        self.assertIsInstance(limits.acquire(1.0), Wait)
        limits.release(first.lease, 2.0)
        self.assertIsInstance(limits.acquire(2.0), Grant)
        self.assertEqual(limits.peak, 2)

    def test_the_lease_of_a_dead_worker_ends_by_itself(self):
        limits = Limits(sessions=1, ttl=60.0)
        lease = limits.acquire(0.0).lease
        self.assertTrue(limits.renew(lease, 50.0))
        self.assertIsInstance(limits.acquire(100.0), Wait)
        self.assertIsInstance(limits.acquire(110.1), Grant)
        self.assertFalse(limits.renew(lease, 111.0))

    def test_starts_in_a_minute(self):
        limits = Limits(starts_per_minute=2)
        for now in (0.0, 20.0):
            limits.release(limits.acquire(now).lease, now)
        wait = limits.acquire(30.0)
        self.assertEqual(wait, Wait(30.0))
        self.assertIsInstance(limits.acquire(60.1), Grant)
        self.assertIsInstance(limits.acquire(60.2), Wait)

    def test_tokens_in_a_minute(self):
        limits = Limits(tokens_per_minute=100)
        limits.release(limits.acquire(0.0).lease, 10.0, tokens=100)
        self.assertEqual(limits.acquire(30.0), Wait(40.0))
        self.assertIsInstance(limits.acquire(70.1), Grant)

    def test_a_budget_that_is_used_up_ends_it(self):
        limits = Limits(max_cost=1.0)
        limits.release(limits.acquire(0.0).lease, 1.0, cost=1.0)
        self.assertIn("1.00 USD", limits.acquire(2.0).reason)

    def test_what_is_in_flight_counts_towards_the_budget(self):
        limits = Limits(max_cost=1.0)
        limits.release(limits.acquire(0.0).lease, 1.0, cost=0.4)
        first = limits.acquire(1.0)
        second = limits.acquire(1.0)
        self.assertIsInstance(second, Grant)
        self.assertIsInstance(limits.acquire(1.0), Wait, "0.4 spent and 0.8 expected")
        limits.release(first.lease, 2.0, cost=0.1)
        self.assertIsInstance(limits.acquire(2.0), Grant)

    def test_a_cost_counts_after_its_lease_has_ended(self):
        limits = Limits(ttl=1.0)
        lease = limits.acquire(0.0).lease
        limits.release(lease, 10.0, cost=0.5)
        self.assertEqual(limits.spent, 0.5)

    def test_one_that_is_pushed_back_slows_all(self):
        limits = Limits(sessions=4)
        leases = [limits.acquire(0.0).lease for _ in range(4)]
        limits.slow_down(1.0)
        limits.slow_down(1.5)  # the same congestion
        for lease in leases[:2]:
            limits.release(lease, 2.0)
        self.assertIsInstance(limits.acquire(2.0), Wait, "two of four are open, and two are allowed")
        limits.release(leases[2], 2.0)
        self.assertIsInstance(limits.acquire(2.0), Grant)
        # It grows back.
        self.assertIsInstance(limits.acquire(200.0), Grant)
        self.assertEqual([type(limits.acquire(200.0)) for _ in range(4)], [Grant, Grant, Grant, Wait])

    def test_nothing_is_given_out_after_a_stop(self):
        limits = Limits()
        limits.stop("not-authorized: wrong key")
        limits.stop("another reason")
        self.assertEqual(limits.acquire(0.0), Stop("not-authorized: wrong key"))


if __name__ == "__main__":
    unittest.main()
