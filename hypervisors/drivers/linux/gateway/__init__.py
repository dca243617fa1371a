"""Networks of a cluster: its headnode gives addresses, leads outside, keeps apart what shall be apart, and lets people in."""
