B
upstream_yJß¨¨¿ƒ@¿Rvb?x9’?Yå?±”³?