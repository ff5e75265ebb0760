BupdatesJ”ª?zæ>;ÿ¾{
?áy“¾A¥C?