B
upstream_yJkB?÷~^?ÌQ¥?