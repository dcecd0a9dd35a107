"""Who is asking. (What they may do is ``gateway.rules.policy``.)"""
