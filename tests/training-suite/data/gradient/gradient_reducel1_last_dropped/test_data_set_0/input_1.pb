B
upstream_yJовz?Ќ>µ?П,t?з±њF,Uњx-Й?