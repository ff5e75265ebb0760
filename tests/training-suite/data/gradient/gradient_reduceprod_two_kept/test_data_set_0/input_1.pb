B
upstream_yJâ§?¶•9¿9¥¿