B
upstream_yJÆE;?²ˆx¿Õw¬¿RB?ÜŒ?bU?