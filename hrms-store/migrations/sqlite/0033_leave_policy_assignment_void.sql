-- An assignment that was never to be in force is removed. Nothing stands against it here.
SELECT 1;
