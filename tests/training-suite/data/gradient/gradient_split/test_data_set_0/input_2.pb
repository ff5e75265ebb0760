B
upstream_bJ`›’¿
¿Ã‰ž¿?ª{?*'I¿,U¿