BupdatesJ)q¿²ã
>¹<W?»¼?¾