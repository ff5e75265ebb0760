B
upstream_yJÄ§?¦©³¿¿